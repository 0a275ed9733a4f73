"""What analysts do with a granted file, one function a library, each as its own manual says.

Run as a program of its own: `programs.py NAME URL`, the token in QIANTANG_TOKEN, our certificate in SSL_CERT_FILE,
REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE where there is one.  It imports nothing of Qiantang and prints what it found as
JSON: columns, rows, and what must come out the same whoever counts: see `FACTS`.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

FACTS = ("columns", "rows", "distance", "late", "carriers", "jfk")
HEADERS = {"Authorization": f"Bearer {os.environ.get('QIANTANG_TOKEN', '')}"}
Facts = dict[str, Any]
BLOCK = 1 << 20  # bytes that fsspec reads ahead


def of_frame(frame: Any) -> Facts:
    """Count in pandas."""
    return {
        "columns": list(frame.columns), "rows": len(frame), "distance": int(frame["distance"].sum()),
        "late": int(frame["dep_delay"].count()), "carriers": int(frame["carrier"].nunique()),
        "jfk": int((frame["origin"] == "JFK").sum()),
    }  # fmt: skip


def of_arrow(table: Any) -> Facts:
    """Count in Arrow."""
    import pyarrow.compute as pc

    return {
        "columns": table.column_names, "rows": table.num_rows, "distance": pc.sum(table["distance"]).as_py(),
        "late": pc.count(table["dep_delay"]).as_py(), "carriers": pc.count_distinct(table["carrier"]).as_py(),
        "jfk": pc.sum(pc.equal(table["origin"], "JFK")).as_py(),
    }  # fmt: skip


def of_rows(columns: list[str], rows: Any) -> Facts:
    """Count row by row."""
    facts: Facts = {"columns": columns, "rows": 0, "distance": 0, "late": 0, "carriers": 0, "jfk": 0}
    carriers = set()
    for row in rows:
        facts["rows"] += 1
        facts["distance"] += row["distance"]
        facts["late"] += row["dep_delay"] is not None
        facts["jfk"] += row["origin"] == "JFK"
        carriers.add(row["carrier"])
    return facts | {"carriers": len(carriers)}


def pandas_csv(url: str) -> Facts:
    import pandas

    return of_frame(pandas.read_csv(url, storage_options=HEADERS))


def pandas_parquet(url: str) -> Facts:
    import pandas

    return of_frame(pandas.read_parquet(url, filesystem=web()))


def pandas_jsonl(url: str) -> Facts:
    import pandas

    return of_frame(pandas.read_json(url, lines=True, storage_options=HEADERS))


def pyarrow_arrow(url: str) -> Facts:
    import pyarrow.ipc

    with web().open(url, block_size=BLOCK) as file:
        return of_arrow(pyarrow.ipc.open_file(file).read_all())


def pyarrow_dataset(url: str) -> Facts:
    """Open by ranges: the footer, then the columns."""
    import pyarrow.dataset
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    found = pyarrow.dataset.dataset(url, filesystem=PyFileSystem(FSSpecHandler(web())), format="parquet")
    late = found.count_rows(filter=pyarrow.dataset.field("dep_delay").is_valid())
    facts = of_arrow(found.to_table())
    assert facts["late"] == late, "the footer's statistics filter rightly"
    return facts


def polars_parquet(url: str) -> Facts:
    import polars

    with web().open(url, block_size=BLOCK) as file:
        return of_arrow(polars.read_parquet(file).to_arrow())


def polars_csv(url: str) -> Facts:
    import polars

    with web().open(url, block_size=BLOCK) as file:
        return of_arrow(polars.read_csv(file).to_arrow())


def polars_arrow(url: str) -> Facts:
    import polars

    with web().open(url, block_size=BLOCK) as file:
        return of_arrow(polars.read_ipc(file).to_arrow())


def duckdb_httpfs(url: str) -> Facts:
    """DuckDB's own HTTP file system, with the token as a secret of its secrets manager."""
    import duckdb
    import duckdb_ext

    folder = os.path.join(duckdb_ext.__path__[0], "extensions", f"v{duckdb.__version__}", "linux_amd64")
    connection = duckdb.connect(config={"autoinstall_known_extensions": False})
    connection.load_extension(os.path.join(folder, "httpfs.duckdb_extension"))
    if certificate := os.environ.get("SSL_CERT_FILE"):
        connection.execute("SET ca_cert_file = $1", [certificate])
        connection.execute("SET enable_server_cert_verification = true")
    connection.execute(f"CREATE SECRET granted (TYPE http, BEARER_TOKEN '{os.environ['QIANTANG_TOKEN']}')")
    suffix = url.partition("/files/data.")[2].partition("?")[0]
    source = {
        "parquet": "read_parquet($1)", "csv": "read_csv($1)", "csv.zst": "read_csv($1, compression = 'zstd')",
        "jsonl": "read_json($1, format = 'newline_delimited')",
    }[suffix]  # fmt: skip
    columns = [row[0] for row in connection.execute(f"DESCRIBE FROM {source}", [url]).fetchall()]
    counted = connection.execute(
        "SELECT count(*), sum(distance)::BIGINT, count(dep_delay), count(DISTINCT carrier), "
        f"count(*) FILTER (origin = 'JFK') FROM {source}",
        [url],
    ).fetchone()
    return dict(zip(FACTS, (columns, *counted), strict=True))


def datasets_parquet(url: str) -> Facts:
    return of_arrow(_dataset("parquet", url))


def datasets_csv(url: str) -> Facts:
    return of_arrow(_dataset("csv", url))


def datasets_jsonl(url: str) -> Facts:
    return of_arrow(_dataset("json", url))


def _dataset(kind: str, url: str) -> Any:
    import datasets

    options = {key: {"client_kwargs": {"headers": HEADERS}} for key in ("http", "https")}
    return datasets.load_dataset(kind, data_files=url, storage_options=options, split="train").data.table


def frictionless_csv(url: str) -> Facts:
    import frictionless
    import requests

    session = requests.Session()
    session.headers.update(HEADERS)
    with frictionless.system.use_context(http_session=session):
        detector = frictionless.Detector(sample_size=1000)
        with frictionless.Resource(path=url, detector=detector) as resource:
            columns = list(resource.header)
            return of_rows(columns, (row.to_dict() for row in resource.row_stream))


def web() -> Any:
    import fsspec

    return fsspec.filesystem("http", client_kwargs={"headers": HEADERS}, block_size=BLOCK)


PROGRAMS: dict[str, Callable[[str], Facts]] = {
    "pandas.csv": pandas_csv, "pandas.parquet": pandas_parquet, "pandas.jsonl": pandas_jsonl,
    "pyarrow.parquet": pyarrow_dataset, "pyarrow.arrow": pyarrow_arrow, "polars.parquet": polars_parquet,
    "polars.csv": polars_csv, "polars.arrow": polars_arrow, "duckdb.parquet": duckdb_httpfs,
    "duckdb.csv": duckdb_httpfs, "duckdb.csv.zst": duckdb_httpfs, "duckdb.jsonl": duckdb_httpfs,
    "datasets.parquet": datasets_parquet, "datasets.csv": datasets_csv, "datasets.jsonl": datasets_jsonl,
    "frictionless.csv": frictionless_csv,
}  # fmt: skip

if __name__ == "__main__":
    sys.stdout.write(json.dumps(PROGRAMS[sys.argv[1]](sys.argv[2])))
