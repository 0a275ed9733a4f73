"""Files as somebody uploads them, all of the same two rows, and where they are read."""

import io
import json
import zipfile
from datetime import date, datetime
from datetime import time as midnight
from pathlib import Path

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from service.catalogue.engine.loading import Reading, Wanted
from service.catalogue.rules import ColumnType

PRIVATE = "三墩路9号"
WANTED = (
    Wanted("名称", "lot", ColumnType.STRING),
    Wanted("泊位", "spaces", ColumnType.INTEGER),
    Wanted("日期", "opened", ColumnType.DATE),
)
HEADINGS = [one.heading for one in WANTED]
CSV = "名称,泊位,日期\n三墩,5,2026-01-02\n文一,,2026-03-04\n"
ROWS = [("三墩", 5, date(2026, 1, 2)), ("文一", None, date(2026, 3, 4))]


def written(folder: Path, name: str, data: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return file


def empty(folder: Path) -> Path:
    own = folder / f"own-{len(list(folder.glob('own-*')))}"
    own.mkdir()
    return own


def rows_of(loaded):
    with duckdb.connect() as connection:
        return connection.execute("SELECT * FROM read_parquet(?)", [str(loaded.path)]).fetchall()


def packed(members, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


def workbook(sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def parquet(table=None, **how):
    table = table or pa.table({"名称": ["三墩", "文一"], "泊位": [5, None], "日期": [one[2] for one in ROWS]})
    out = io.BytesIO()
    pq.write_table(table, out, **how)
    return out.getvalue()


OBJECTS = [dict(zip(HEADINGS, ("三墩", 5, "2026-01-02"), strict=True)), {"名称": "文一", "日期": "2026-03-04"}]
CELLS = [HEADINGS, ["三墩", 5.0, datetime.combine(date(2026, 1, 2), midnight.min)], ["文一", None, date(2026, 3, 4)]]
FILES = {
    "a.csv": (CSV, "csv", Reading("utf-8", ",")),
    "bom.csv": (CSV.encode("utf-8-sig"), "csv", Reading("utf-8-bom", ",")),
    "gb.csv": (CSV.encode("gb18030"), "csv", Reading("gb18030", ",")),
    "utf16.txt": (CSV.replace(",", "\t").encode("utf-16"), "csv", Reading("utf-16", "\t")),
    "semicolon.csv": (CSV.replace(",", ";"), "csv", Reading("utf-8", ";")),
    "bar.txt": (CSV.replace(",", "|").replace("\n", "\r\n"), "csv", Reading("utf-8", "|")),
    "a.tsv": (CSV.replace(",", "\t"), "csv", Reading("utf-8", "\t")),
    "nameless": (CSV, "csv", Reading("utf-8", ",")),
    "a.json": (json.dumps(OBJECTS, ensure_ascii=False, indent=1), "json", Reading("utf-8")),
    "a.jsonl": ("\n".join(map(json.dumps, OBJECTS)), "json", Reading("utf-8")),
    "nameless-json": (json.dumps(OBJECTS), "json", Reading("utf-8")),
    "a.xlsx": (workbook({"说明": [["填写说明"]], "数据": CELLS}), "xlsx", Reading(sheet="数据")),
    "titled.xlsx": (workbook({"表": [["停车场一览表"], [], *CELLS]}), "xlsx", Reading(sheet="表")),
    "a.parquet": (parquet(), "parquet", Reading()),
    "csv.zip": (
        packed({"数据/停车.csv": CSV, "__MACOSX/._x.csv": "x"}),
        "csv", Reading("utf-8", ",", None, "数据/停车.csv"),
    ),
    "xlsx.zip": (packed({"a.xlsx": workbook({"表": CELLS})}), "xlsx", Reading(sheet="表", member="a.xlsx")),
    "parquet.zip": (packed({"a.parquet": parquet()}), "parquet", Reading(member="a.parquet")),
    "parts.zip": (
        packed({"2.csv": "名称,泊位,日期\n文一,,2026-03-04\n", "1.csv": "名称,泊位,日期\n三墩,5,2026-01-02\n"}),
        "csv", Reading("utf-8", ","),
    ),
}  # fmt: skip
