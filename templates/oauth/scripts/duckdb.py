# install: pip install duckdb requests
"""Counts {{ dataset }} under grant {{ grant }} with DuckDB, through HTTP."""

import json
import os
import pathlib
import sys
import tempfile

sys.path.pop(0)  # this file may be called duckdb.py: it must not be found in place of the library

import duckdb
import requests

{% include "oauth/scripts/_token.py" %}

{% if "download" in delivery %}
with requests.get(
    f"{BASE}/api/v1/datasets/{{ dataset }}/files/data.parquet",
    params={"grant": "{{ grant }}"},
    headers={"Authorization": f"Bearer {token}", "Accept-Language": "{{ language }}"},
    stream=True,
    timeout=300,
) as answer:
    if not answer.ok:
        refused(answer)
    path = pathlib.Path(tempfile.mkdtemp()) / "data.parquet"
    with path.open("wb") as file:
        for chunk in answer.iter_content(1 << 20):
            file.write(chunk)
source = f"read_parquet('{path}')"
{% else %}
path = pathlib.Path(tempfile.mkdtemp()) / "data.jsonl"
cursor = ""
with path.open("w", encoding="utf-8") as file:
    while cursor is not None:
        answer = requests.get(
            f"{BASE}/api/v1/datasets/{{ dataset }}/rows",
            params={"grant": "{{ grant }}", "limit": 10000, "cursor": cursor},
            headers={"Authorization": f"Bearer {token}", "Accept-Language": "{{ language }}"},
            timeout=300,
        )
        if not answer.ok:
            refused(answer)
        for row in answer.json()["rows"]:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        cursor = answer.json()["next"]
source = f"read_json('{path}')"
{% endif %}
print(duckdb.sql(f"DESCRIBE SELECT * FROM {source}"))
print(duckdb.sql(f"SELECT * FROM {source} LIMIT 10"))
print(duckdb.sql(f"SELECT count(*) AS row_count FROM {source}"))
