BASE = "{{ base_url }}"
CLIENT_ID = "{{ client_id }}" or os.environ["QIANTANG_CLIENT_ID"]
SECRET = os.environ["QIANTANG_CLIENT_SECRET"]

answer = requests.post(
    f"{BASE}/oauth/token",
    data={"grant_type": "client_credentials", "scope": "data.read"},
    auth=(CLIENT_ID, SECRET),
    timeout=30,
)
if not answer.ok:
    sys.exit(f"{answer.json()['error']}: {answer.json().get('error_description', '')}")
token = answer.json()["access_token"]
