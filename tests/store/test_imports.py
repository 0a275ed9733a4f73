"""Files of every format become the same typed rows, in a child with limits; what does not hold is told, never shown."""

import csv
import io
import json
import stat
import zipfile
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.catalogue.engine import loading
from service.catalogue.engine.loading import Limits, Reading, Report, Tolerance, Wanted, Worker
from service.catalogue.rules import BadData, ColumnType, TooDemanding
from tests.store.uploaded import (
    CELLS,
    CSV,
    FILES,
    HEADINGS,
    OBJECTS,
    PRIVATE,
    ROWS,
    WANTED,
    empty,
    packed,
    parquet,
    rows_of,
    workbook,
    written,
)


@pytest.fixture(scope="module")
def worker():
    with Worker() as one:
        yield one


@pytest.fixture
def read(tmp_path, worker):
    """Return a function that writes a file and has it read."""

    def go(name, data, wanted=WANTED, **how):
        return loading.load(written(tmp_path, name, data), empty(tmp_path), wanted, worker=worker, **how)

    return go


@pytest.fixture
def look(tmp_path, worker):
    def go(name, data, **how):
        return loading.inspect(written(tmp_path, name, data), empty(tmp_path), worker=worker, **how)

    return go


@pytest.fixture
def refused(read):
    """Return a function that has a file refused and returns the refusal and its messages."""

    def go(name, data, wanted=WANTED, **how):
        with pytest.raises(BadData) as fault:
            read(name, data, wanted, **how)
        return fault.value, " ".join(error["message"] for error in fault.value.facts["errors"])

    return go


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_typed_rows_and_says_how_it_was_read(read, name):
    data, kind, reading = FILES[name]
    loaded = read(name, data, time_column="opened")
    assert rows_of(loaded) == ROWS
    assert (loaded.format, loaded.reading) == (kind, reading)
    assert (loaded.rows, loaded.period_from, loaded.period_to) == (2, ROWS[0][2], ROWS[1][2])
    assert (loaded.report.rows_read, loaded.report.rows_kept, loaded.report.faults) == (2, 2, 0)
    assert [(one.name, one.empty) for one in loaded.report.columns] == [("lot", 0), ("spaces", 1), ("opened", 0)]


def test_the_same_text_is_the_same_bytes_whatever_it_came_in(read):
    first = read("a.csv", CSV)
    texts = [(name, data) for name, (data, kind, _reading) in FILES.items() if kind != "parquet"]
    assert {read(name, data).sha256 for name, data in texts} == {first.sha256}
    assert read("a.parquet", parquet()).sha256 == read("b.parquet", parquet()).sha256
    meta = pq.ParquetFile(first.path).metadata
    assert meta.row_group(0).column(1).compression == "ZSTD"
    assert meta.row_group(0).column(1).statistics.max == 5


def test_row_groups_are_of_65536_rows(read):
    lines = "".join(f"停车场,{n},2026-01-02\n" for n in range(70_000))
    meta = pq.ParquetFile(read("many.csv", f"名称,泊位,日期\n{lines}").path).metadata
    assert [meta.row_group(n).num_rows for n in range(meta.num_row_groups)] == [65_536, 4_464]


def test_a_wrong_finding_is_corrected_by_the_caller(read, refused):
    big5 = CSV.replace("三墩", "停車場").replace("名称", "名稱").encode("big5")
    wanted = [Wanted("名稱", "lot", ColumnType.STRING), *WANTED[1:]]
    assert rows_of(read("big5.csv", big5, wanted, reading=Reading("big5")))[0][0] == "停車場"
    assert read("odd.csv", CSV.replace(",", ";"), reading=Reading(delimiter=";")).reading.delimiter == ";"
    assert "UTF-8" in refused("as-utf8.csv", CSV.encode("gb18030"), reading=Reading("utf-8"))[1]
    assert "klingon" in refused("a.csv", CSV, reading=Reading("klingon"))[1]
    assert "分隔符" in refused("a.csv", CSV, reading=Reading(delimiter="x"))[1]


def test_an_encoding_that_shows_late_is_found(read):
    wanted = [Wanted(one.name, one.name, one.type) for one in WANTED]
    text = "lot,spaces,opened\n" + "a,1,2026-01-01\n" * 100_000 + "三墩路,1,2026-01-01\n"
    loaded = read("late.csv", text.encode("gb18030"), wanted)
    assert (loaded.rows, loaded.reading.encoding) == (100_001, "gb18030")


def test_a_sheet_and_a_member_are_chosen(read, refused):
    two = workbook({"一月": CELLS, "二月": [*CELLS, ["翠苑", 1, date(2026, 2, 1)]]})
    assert read("two.xlsx", two).reading.sheet == "一月"
    assert read("two.xlsx", two, reading=Reading(sheet="二月")).rows == 3
    assert "工作表" in refused("two.xlsx", two, reading=Reading(sheet="三月"))[1]
    mixed = packed({"a.csv": CSV, "b.json": json.dumps(OBJECTS[:1])})
    assert "请指定" in refused("mixed.zip", mixed)[1]
    assert read("mixed.zip", mixed, reading=Reading(member="b.json")).rows == 1
    assert "没有所指定的文件" in refused("mixed.zip", mixed, reading=Reading(member="c.csv"))[1]


def test_names_that_a_chinese_packer_wrote_are_read_as_such(look):
    plain = packed({"xx.csv": CSV})
    assert look("gbk.zip", plain.replace(b"xx.csv", "停.csv".encode("gb18030"))).members == ("停.csv",)


def test_numbers_keep_their_digits_and_codes_their_noughts(read):
    wanted = [
        Wanted("n", "n", ColumnType.NUMBER),
        Wanted("i", "i", ColumnType.INTEGER),
        Wanted("c", "c", ColumnType.STRING),
    ]
    objects = '[{"n": 0.1, "i": 123456789012345678, "c": "007"}, {"n": 1e3, "i": "5", "c": 7.50}, {"c": true}]'
    assert rows_of(read("n.json", objects, wanted)) == [
        (0.1, 123456789012345678, "007"), (1000.0, 5, "7.50"), (None, None, "true"),
    ]  # fmt: skip
    sheet = workbook({"a": [["n", "i", "c"], [0.1, 5.0, "007"], [3, 1e5, 7]]})
    assert rows_of(read("n.xlsx", sheet, wanted)) == [(0.1, 5, "007"), (3.0, 100000, "7")]


# ---- CSV as people write it ------------------------------------------------------------------------------------------

# What no encoding of ours can hold (half characters) or text modes change (a lone CR ends a line in every CSV).
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\0\ufeff"), max_size=12)


@given(
    table=st.lists(st.tuples(TEXT, TEXT), max_size=12),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_a_csv_writer_wrote_comes_back(tmp_path, worker, table, encoding, delimiter, end):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("甲", "乙"), *table])
    names = {"utf-8-sig": "utf-8-bom"}
    file = written(tmp_path, "any.csv", out.getvalue().encode(encoding))
    wanted = [Wanted("甲", "a", ColumnType.STRING), Wanted("乙", "b", ColumnType.STRING)]
    reading = Reading(names.get(encoding, encoding), delimiter)
    loaded = loading.load(file, empty(tmp_path), wanted, reading=reading, worker=worker)
    assert rows_of(loaded) == [tuple(cell or None for cell in row) for row in table]
    found = loading.load(file, empty(tmp_path), wanted, worker=worker).reading
    assert found.delimiter == delimiter
    if encoding != "gb18030":
        assert found.encoding == reading.encoding


# ---- what does not hold ----------------------------------------------------------------------------------------------

FAULTY = (
    f"名称,泊位,日期\n甲,5,2026-01-02\n乙,{PRIVATE},2026-13-01\n丙,1\n丁,1,2026-01-01\n{'长' * 10_001},2,2026-01-01\n"
)


def test_a_strict_import_refuses_the_file_with_a_report_that_shows_no_value(refused):
    fault, messages = refused("faulty.csv", FAULTY)
    assert PRIVATE not in json.dumps([fault.facts, fault.report], ensure_ascii=False)
    assert [error["field"] for error in fault.facts["errors"]] == ["", "名称", "泊位", "日期"]
    assert "第 4 行起共 1 行的字段数与表头不符" in messages
    report = Report.of(fault.report)
    assert (report.rows_read, report.rows_kept, report.rows_refused, report.faults) == (5, 2, 3, 4)
    assert [(one.row, one.column, one.why, one.length, one.classes) for one in report.refused] == [
        (3, "spaces", "type", 5, ("digit", "han")),
        (3, "opened", "type", 10, ("digit", "sign")),
        (4, "", "fields", 2, ()),
        (6, "lot", "length", 10_001, ("han",)),
    ]


@pytest.mark.parametrize("tolerance", [Tolerance(rows=3), Tolerance(share=0.6)])
def test_a_tolerant_import_leaves_out_what_does_not_hold_and_says_so(read, tolerance):
    loaded = read("faulty.csv", FAULTY, tolerance=tolerance)
    assert [row[0] for row in rows_of(loaded)] == ["甲", "丁"]
    report = loaded.report
    assert (report.rows_read, report.rows_kept, report.rows_refused) == (5, 2, 3)
    assert [(one.name, one.refused) for one in report.columns] == [("lot", 1), ("spaces", 1), ("opened", 1)]
    assert Report.of(json.loads(json.dumps(report.document()))) == report


def test_a_tolerant_import_refuses_what_goes_beyond_its_limit(refused):
    fault, messages = refused("faulty.csv", FAULTY, tolerance=Tolerance(rows=2))
    assert "共 5 行，其中 3 行不符" in messages
    assert fault.report["rows_refused"] == 3


def test_a_report_lists_a_thousand_values_and_counts_all(refused):
    fault, messages = refused("many.csv", "名称,泊位,日期\n" + "甲,x,2026-01-02\n" * 2500)
    assert (len(fault.report["refused"]), fault.report["faults"]) == (1000, 2500)
    assert "第 2 行起共 2500 个值" in messages


def test_every_column_of_a_wide_file_is_checked(read, refused):
    wanted = [Wanted(f"h{n}", f"n{n}", ColumnType.INTEGER) for n in range(100)]
    line = ["1"] * 100
    text = "\n".join([",".join(one.heading for one in wanted), ",".join(line), ",".join([*line[:85], "x", *line[86:]])])
    fault, _messages = refused("wide.csv", text, wanted)
    assert [(one["row"], one["column"]) for one in fault.report["refused"]] == [(3, "n85")]
    assert rows_of(read("wide.csv", text, wanted, tolerance=Tolerance(rows=1))) == [(1,) * 100]


def test_what_a_quote_swallows_counts_as_the_lines_that_it_swallowed(read, refused):
    swallowing = '名称,泊位,日期\n"甲,1,2026-01-01\n乙,1,2026-01-01\n丙",1,2026-01-01\n丁,1,2026-01-01\n' + '戊,"x"y,\n'
    assert read("q.csv", swallowing, tolerance=Tolerance(rows=1)).report.rows_refused == 1
    swallowing = swallowing.replace('丙",1', '丙",1,2')
    fault, _messages = refused("q.csv", swallowing, tolerance=Tolerance(rows=3))
    assert fault.report["rows_refused"] == 4


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("open.csv", CSV + '"翠苑,1,2026-01-01\n' + "甲,1,2026-01-01\n" * 9, "第 4 行的引号没有结束"),
        ("bytes.csv", (CSV * 20).encode() + b"\xff\xfe,1,2026-01-01\n", "第 61 行含有不属于 UTF-8"),
        ("late.csv", ("名称,泊位,日期\n" + "a,1,2026-01-01\n" * 9).encode() + b"\xff,1,\n", "第 11 行含有不属于"),
        ("null.csv", b"a\0b,\0\0\n", "文件编码应为"),
        ("half16.csv", CSV.encode("utf-16")[:-1], "UTF-16"),
        ("wide.csv", ",".join(f"c{n}" for n in range(200_000)), "超过 1000 列"),
        ("million.csv", ",".join(f"c{n}" for n in range(1_000_000)), "有一行超过"),
        ("wide.json", json.dumps([{f"c{n}": 1 for n in range(100_000)}]), "缺少这一字段"),
        ("line.csv", b"x" * 3_000_000, "有一行超过"),
        ("cut.json", json.dumps(OBJECTS)[:-9], "第 2 条记录不完整"),
        ("cut.jsonl", "\n".join(map(json.dumps, OBJECTS))[:-3], "第 2 条记录不完整"),
        ("nan.json", '[{"名称": "a", "泊位": NaN, "日期": null}]', "第 1 条记录不是有效的 JSON"),
        ("deep.json", "[" + '{"名称":' + "[" * 200_000 + "]" * 200_000 + "}]", "第 1 条记录不是有效的 JSON"),
        ("values.json", "[1, 2]", "第 1 条记录不是 JSON 对象"),
        ("after.json", json.dumps(OBJECTS) + "{}", "JSON 数组之后"),
        ("long.json", json.dumps([{"名称": "x" * 3_000_000}]), "或超过"),
        ("half.json", '[{"名称": "\\ud800", "泊位": 1, "日期": null}]', "无法存储的字符"),
        ("other.json", '[{"名称": "a", "泊位": 1, "日期": null, "电话": 1}]', "说明之外的字段"),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "旧版 .xls"),
        ("no.xlsx", "名称", "不是有效的 XLSX"),
        ("empty.xlsx", packed({"[Content_Types].xml": "<Types/>"}), "不是有效的 XLSX"),
        ("cut.xlsx", FILES["a.xlsx"][0][:-40], "不是有效的 XLSX"),
        ("no.zip", "名称", "压缩包已损坏"),
        ("cut.zip", FILES["csv.zip"][0][:-30], "压缩包已损坏"),
        ("none.zip", packed({"readme.md": "x"}), "没有可以导入的数据文件"),
        ("nested.zip", packed({"a.csv": CSV, "b.zip": packed({"c.csv": CSV})}), "压缩包中还有压缩包"),
        ("two.zip", packed({"a.xlsx": FILES["a.xlsx"][0], "b.xlsx": FILES["a.xlsx"][0]}), "多个 XLSX"),
        ("dots.zip", packed({"../../etc/a.csv": CSV}), "文件名不安全"),
        ("root.zip", packed({"/etc/a.csv": CSV}), "文件名不安全"),
        ("drive.zip", packed({"c:/a.csv": CSV}), "文件名不安全"),
        ("back.zip", packed({"..\\a.csv": CSV}), "文件名不安全"),
        ("other.zip", packed({"a.csv": CSV, "b.csv": "x,y\n1,2\n"}), "缺少这一字段"),
        ("no.parquet", "名称", "不是有效的 Parquet"),
        ("cut.parquet", parquet()[:-30], "不是有效的 Parquet"),
        ("head.parquet", b"PAR1" + b"\0" * 100 + b"\xff\xff\xff\x0fPAR1", "不是有效的 Parquet"),
        ("nothing.csv", "", "缺少这一字段"),
        ("nothing.parquet", "", "不是有效的 Parquet"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 and "." in value else "",
)  # fmt: skip
def test_a_hostile_or_broken_file_is_refused_clearly_and_by_nobody_else_felt(refused, read, name, data, said):
    fault, messages = refused(name, data, tolerance=Tolerance(share=0.5) if "json" not in name else loading.STRICT)
    assert said in messages
    assert not isinstance(fault, TooDemanding)
    assert read("a.csv", CSV).rows == 2


def test_an_encrypted_zip_is_refused(refused):
    data = bytearray(packed({"a.csv": CSV}, zipfile.ZIP_STORED))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + at] |= 1
    assert "加密" in refused("secret.zip", bytes(data))[1]


def test_a_link_in_a_zip_is_refused(refused):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        link = zipfile.ZipInfo("a.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    assert "文件名不安全" in refused("link.zip", out.getvalue())[1]


def test_a_bomb_is_refused_by_what_it_says_and_by_what_it_does(refused):
    bomb = packed({"a.csv": "名称,泊位,日期\n" + "甲,1,2026-01-01\n" * 200_000})
    fault, messages = refused("bomb.zip", bomb, limits=Limits(trusted=1 << 20, ratio=20))
    assert isinstance(fault, TooDemanding) and "20 倍" in messages
    fault, messages = refused("bomb.zip", bomb, limits=Limits(unpacked=1 << 20))
    assert isinstance(fault, TooDemanding) and "1048576 字节" in messages
    lying = bytearray(bomb)
    size = lying.index(b"PK\x01\x02") + 24
    lying[size : size + 4] = (1000).to_bytes(4, "little")
    fault, messages = refused("lying.zip", bytes(lying), tolerance=Tolerance(share=0.9))
    assert "压缩包已损坏" in messages or "不完整" in messages
    sheet = packed({"[Content_Types].xml": "<Types/>" + " " * 5_000_000})
    assert isinstance(refused("bomb.xlsx", sheet, limits=Limits(trusted=1 << 20))[0], TooDemanding)


def rezipped(data, changes):
    """Return a zip with members changed or added."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    return packed(members | {name: change(members.get(name, b"")) for name, change in changes.items()})


def test_links_of_a_workbook_are_not_followed_and_entities_not_unfolded(read, refused):
    book = FILES["a.xlsx"][0]
    linked = rezipped(book, {"xl/externalLinks/externalLink1.xml": lambda _old: b"<externalLink/>"})
    assert read("linked.xlsx", linked).report.notes == ("文件引用了其他文件；这些引用未被读取",)
    laughs = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaa">]>'
    told = refused("laughs.xlsx", rezipped(book, {"xl/workbook.xml": lambda old: laughs + old}))[1]
    assert "XML 声明" in told


def test_a_sheet_that_lies_about_its_size_is_read_as_it_is(read):
    lie = {"xl/worksheets/sheet2.xml": lambda old: old.replace(b'ref="A1:C3"', b'ref="A1:XFD1048576"')}
    assert read("lie.xlsx", rezipped(FILES["a.xlsx"][0], lie)).rows == 2


def test_an_error_in_a_cell_is_no_value(refused):
    fault, _messages = refused("error.xlsx", workbook({"a": [HEADINGS, ["#N/A", 1, None]]}))
    assert [(one["column"], one["row"]) for one in fault.report["refused"]] == [("lot", 2)]


def test_a_footer_that_lies_is_noticed(refused):
    data = parquet()
    meta = pq.ParquetFile(io.BytesIO(data)).metadata
    assert meta.num_rows == 2
    caught = 0
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    for at in range(start, len(data) - 8):
        if data[at] == 4:  # 2 as a zigzag number: counts of rows and of values among them
            lying = bytearray(data)
            lying[at] = 0x7E
            caught += _refused_or_whole(refused, bytes(lying))
    assert caught >= 2


def _refused_or_whole(refused, data):
    try:
        fault, _messages = refused("lie.parquet", data)
    except pytest.fail.Exception:  # the changed byte said nothing about the rows
        return 0
    assert isinstance(fault, BadData)
    return 1


# ---- marks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "mark"),
    [
        ("a.csv", "机密★5年\n" + CSV, "机密"),
        ("b.csv", CSV.replace("名称", "名称（内部资料）"), "内部资料"),
        ("c.csv", CSV.replace("三墩", "秘密★"), "秘密"),
        ("last.csv", CSV + "秘密★,,", "秘密"),
        ("d.xlsx", workbook({"表": [["内部资料 注意保存"], *CELLS]}), "内部资料注意保存"),
        ("e.xlsx", workbook({"绝密": CELLS}), "绝密"),
        ("f.zip", packed({"【秘密】停车.csv": CSV}), "秘密"),
        ("g.json", json.dumps([{"机密★": 1}]), "机密"),
    ],
)
def test_a_file_that_bears_a_secrecy_mark_says_so_even_when_it_is_refused(read, name, data, mark):
    try:
        marks = read(name, data).marks
    except BadData as fault:
        marks = fault.marks
    assert mark in marks or any(one.startswith(mark[:4]) for one in marks)


@pytest.mark.parametrize("cell", ["内部", "秘密花园", "是否机密", "国家秘密保护常识"])
def test_a_value_that_holds_such_a_word_marks_nothing(read, cell):
    assert read("plain.csv", CSV.replace("三墩", cell)).marks == ()
    assert read("plain.xlsx", workbook({"表": [HEADINGS, [cell, 1, None]]})).marks == ()


# ---- looking ---------------------------------------------------------------------------------------------------------


def test_a_look_says_what_a_file_is_without_a_value_of_it(look):
    rows = f"{PRIVATE},5,2026-01-02,007,1.5,true\n{PRIVATE},,2026-01-03,008,2,false\n"
    data = f"停车场 名称,泊位数,开业日期,编号,单价,开放\n{rows}"
    known = {"lot": ["停车场名称"], "spaces": ["车位", "泊位数"], "opened": ["opened"], "code": ["编 号"]}
    found = look("seen.csv", data.replace(",", ";").encode("gb18030"), known=known)
    assert (found.format, found.reading) == ("csv", Reading("gb18030", ";"))
    assert [(one.heading, one.type.value) for one in found.columns] == [
        ("停车场 名称", "string"), ("泊位数", "integer"), ("开业日期", "date"), ("编号", "string"), ("单价", "number"),
        ("开放", "boolean"),
    ]  # fmt: skip
    assert found.columns[1].first == ("integer", "empty")
    assert found.mapping == {"lot": "停车场 名称", "spaces": "泊位数", "code": "编号"}
    assert PRIVATE not in json.dumps(found.document(), ensure_ascii=False)


def test_a_look_names_the_sheets_and_members_to_choose_among(look):
    assert look("a.xlsx", FILES["a.xlsx"][0]).sheets == ("说明", "数据")
    assert look("parts.zip", FILES["parts.zip"][0]).members == ("1.csv", "2.csv")
    found = look("a.parquet", parquet())
    assert [(one.heading, one.type.value) for one in found.columns] == [
        ("名称", "string"), ("泊位", "integer"), ("日期", "date"),
    ]  # fmt: skip
    assert [one.heading for one in look("a.json", FILES["a.json"][0]).columns] == HEADINGS


def test_a_heading_never_becomes_sql(refused, read):
    heading = "a\"; DROP TABLE x; --'"
    odd = [Wanted(heading, "lot", ColumnType.STRING), *WANTED[1:]]
    quoted = '"' + heading.replace('"', '""') + '"'
    assert rows_of(read("sql.csv", CSV.replace("名称", quoted), odd)) == ROWS
    assert rows_of(read("sql.json", json.dumps([{heading: "x", "泊位": 1, "日期": None}]), odd)) == [("x", 1, None)]
    table = pa.table({heading: ["x"], "泊位": [1], "日期": [ROWS[0][2]]})
    assert read("sql.parquet", parquet(table), odd).rows == 1
