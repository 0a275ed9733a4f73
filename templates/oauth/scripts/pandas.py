# install: pip install pandas pyarrow requests
"""Loads {{ dataset }} under grant {{ grant }} into a pandas DataFrame."""

import io
import os
import sys

sys.path.pop(0)  # this file may be called pandas.py: it must not be found in place of the library

import pandas
import requests

{% include "oauth/scripts/_token.py" %}

{% if "download" in delivery %}
answer = requests.get(
    f"{BASE}/api/v1/datasets/{{ dataset }}/files/data.parquet",
    params={"grant": "{{ grant }}"},
    headers={"Authorization": f"Bearer {token}", "Accept-Language": "{{ language }}"},
    timeout=300,
)
if not answer.ok:
    refused(answer)
table = pandas.read_parquet(io.BytesIO(answer.content))
{% else %}
rows, cursor = [], ""
while cursor is not None:
    answer = requests.get(
        f"{BASE}/api/v1/datasets/{{ dataset }}/rows",
        params={"grant": "{{ grant }}", "limit": 10000, "cursor": cursor},
        headers={"Authorization": f"Bearer {token}", "Accept-Language": "{{ language }}"},
        timeout=300,
    )
    if not answer.ok:
        refused(answer)
    rows += answer.json()["rows"]
    cursor = answer.json()["next"]
table = pandas.DataFrame(rows)
{% endif %}
print(table.head(10).to_string())
print(f"{len(table)} rows, columns: {', '.join(table.columns)}")
