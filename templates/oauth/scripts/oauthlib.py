# install: pip install requests-oauthlib
"""Prints the first rows of {{ dataset }} under grant {{ grant }}."""

import os
import sys

sys.path.pop(0)  # this file may be called oauthlib.py: it must not be found in place of the library
{% if insecure %}

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # this service runs on plain http on your own machine
{% endif %}

from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error
from requests_oauthlib import OAuth2Session

BASE = "{{ base_url }}"
CLIENT_ID = "{{ client_id }}" or os.environ["QIANTANG_CLIENT_ID"]
SECRET = os.environ["QIANTANG_CLIENT_SECRET"]

session = OAuth2Session(client=BackendApplicationClient(CLIENT_ID, scope=["data.read"]))
session.headers["Accept-Language"] = "{{ language }}"
answers = []  # the library keeps no headers of a refusal: its request id tells people where to look it up
session.register_compliance_hook("access_token_response", lambda answer: answers.append(answer) or answer)
try:
    session.fetch_token(f"{BASE}/oauth/token", auth=(CLIENT_ID, SECRET))
except OAuth2Error as error:
    number = answers[-1].headers.get("X-Request-Id", "")
    sys.exit(f"{error.error}: {error.description}\n{BASE}/requests/{number}")

answer = session.get(f"{BASE}/api/v1/datasets/{{ dataset }}/rows", params={"grant": "{{ grant }}", "limit": 10})
if not answer.ok:
    problem = answer.json()
    sys.exit(f"{problem['title']}: {problem.get('detail', '')}\n{BASE}/requests/{problem['request_id']}")
page = answer.json()
print(*(column["name"] for column in page["columns"]), sep="\t")
for row in page["rows"]:
    print(*row.values(), sep="\t")
