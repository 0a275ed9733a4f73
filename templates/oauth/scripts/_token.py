BASE = "{{ base_url }}"
CLIENT_ID = "{{ client_id }}" or os.environ["QIANTANG_CLIENT_ID"]
SECRET = os.environ["QIANTANG_CLIENT_SECRET"]


def refused(answer):
    """Say why, and where the unit's people can look it up."""
    said, number = answer.json(), answer.headers.get("X-Request-Id", "")
    why = f"{said.get('title') or said['error']}: {said.get('detail') or said.get('error_description', '')}"
    sys.exit(f"{why}\n{BASE}/requests/{number}")


answer = requests.post(
    f"{BASE}/oauth/token",
    data={"grant_type": "client_credentials", "scope": "data.read"},
    auth=(CLIENT_ID, SECRET),
    timeout=30,
)
if not answer.ok:
    refused(answer)
token = answer.json()["access_token"]
