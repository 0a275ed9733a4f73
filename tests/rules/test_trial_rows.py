"""Trial rows come from a profile alone; a citation names version and checksum."""

from datetime import date

from service.catalogue.engine import trial
from service.home.web import citing

BINS = [{"from": None, "to": 20, "span": 1, "rows": 50}, {"from": 20, "to": 40, "span": 1, "rows": 50}]
PROFILE = {
    "columns": {
        "speed": {"closed": False, "nulls": 0, "bins": BINS, "unit": 20},
        "kind": {"closed": False, "nulls": 50, "values": [{"value": "大", "rows": 10}, {"value": "小", "rows": 90}]},
        "at": {
            "closed": False, "nulls": 0, "unit": "hour", "range": ["2026-03-02", "2026-03-04"],
            "bins": [{"from": 6, "to": 9, "span": 3, "rows": 10}],
        },
        "day": {
            "closed": False, "nulls": 0, "unit": "month",
            "bins": [{"from": "2026-03-01", "to": "2026-04-01", "span": 1, "rows": 10}],
        },
        "plate": {"closed": True, "nulls": 0},
        "note": {"closed": False, "nulls": 0, "distinct": 5, "values": [], "others": 1_000},
    }
}  # fmt: skip
TYPES = {"speed": "number", "kind": "string", "at": "datetime", "day": "date", "plate": "string", "note": "string"}


def rows(count=200, seed="a"):
    return trial.rows(PROFILE, TYPES, seed=seed, count=count)


def test_trial_rows_stay_within_what_the_profile_tells():
    drawn = rows()
    assert all(set(row) == {"speed", "kind", "at", "day"} for row in drawn)
    assert all(0 <= row["speed"] < 40 for row in drawn)
    assert {row["kind"] for row in drawn} == {"大", "小", None}
    assert all("2026-03-02 06:00" <= row["at"] <= "2026-03-04 08:45" for row in drawn)
    assert all("2026-03-01" <= row["day"] <= "2026-03-31" for row in drawn)


def test_they_are_as_frequent_as_told():
    kinds = [row["kind"] for row in rows(1_000) if row["kind"]]
    assert 400 < len(kinds) < 600
    assert kinds.count("小") > 5 * kinds.count("大")


def test_the_same_profile_gives_the_same_rows():
    assert rows() == rows()
    assert rows() != rows(seed="b")


def test_without_a_column_to_draw_from_there_are_none():
    assert trial.rows({"columns": {"plate": PROFILE["columns"]["plate"]}}, TYPES, seed="a", count=5) == []


def test_a_citation_names_version_and_checksum():
    cited = citing.Cited(
        "road-counts", "道路 100% 流量", "市交通局", 2, date(2026, 3, 4), "https://x.cn/datasets/r", "sha256:ab"
    )
    assert citing.gbt7714(cited, seen_on=date(2026, 5, 6)) == (
        "市交通局. 道路 100% 流量: v2[DS/OL]. (2026-03-04)[2026-05-06]. https://x.cn/datasets/r. sha256:ab."
    )
    entry = citing.bibtex(cited)
    assert entry.startswith("@misc{road-counts-v2,") and "author = {{市交通局}}" in entry
    assert r"100\% 流量" in entry and "note = {sha256:ab}" in entry


def test_a_keyed_checksum_depends_on_data_and_key():
    one = citing.keyed_checksum("ab", key=b"k")
    assert one == citing.keyed_checksum("ab", key=b"k")
    assert len({one, citing.keyed_checksum("ac", key=b"k"), citing.keyed_checksum("ab", key=b"l")}) == 3
