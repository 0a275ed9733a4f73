"""Names, validators and byte ranges of the files of a view."""

import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.data.rules import files
from service.data.rules.files import ByteRange

ETAG = "ab" * 32


@pytest.mark.parametrize(
    ("name", "purpose", "found"),
    [
        ("data.parquet", None, "parquet"),
        ("data.csv", None, "csv"),
        ("data.csv", "excel", "excel"),
        ("data.csv.zst", None, "csv.zst"),
        ("data.jsonl", None, "jsonl"),
        ("data.arrow", None, "arrow"),
        ("data.excel", None, None),
        ("data.parquet", "excel", None),
        ("data.csv", "word", None),
        ("data.xlsx", None, None),
        ("parquet", None, None),
        ("", None, None),
    ],
)
def test_a_file_is_asked_for_by_its_ending_and_excel_by_a_word(name, purpose, found):
    format = files.format_of(name, purpose)
    assert (format.name if format else None) == found


# ---- validators ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "strongly", "weakly"),
    [
        (None, False, False),
        ("*", True, True),
        (f'"{ETAG}"', True, True),
        (f'W/"{ETAG}"', False, True),
        (f'"a", "{ETAG}"', True, True),
        (f'"a",W/"{ETAG}"', False, True),
        ('"another"', False, False),
        (ETAG, False, False),
        (f'"x{ETAG}"', False, False),
        ('"', False, False),
    ],
)
def test_if_match_compares_strongly_and_if_none_match_weakly(header, strongly, weakly):
    assert files.names(header, ETAG, strong=True) is strongly
    assert files.names(header, ETAG, strong=False) is weakly


@pytest.mark.parametrize(
    ("header", "holds"),
    [
        (None, True), (f'"{ETAG}"', True), (f'W/"{ETAG}"', False), ('"x"', False),
        ("Tue, 24 Nov 2026 00:00:00 GMT", False),
    ],
)  # fmt: skip
def test_if_range_takes_the_strong_tag_alone(header, holds):
    assert files.holds(header, ETAG) is holds


def test_the_digest_is_that_of_the_whole_in_base64():
    digest = hashlib.sha256(b"whole")
    assert files.digest_field(digest.hexdigest()) == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_a_name_of_any_letters_comes_through_the_header_as_it_is(name):
    header = files.disposition(f"{name}.csv", f"{name}.csv")
    assert header.isascii() and "\n" not in header and "\r" not in header
    plain = re.search(r'filename="([^"]*)"', header)
    assert plain and re.fullmatch(r"[A-Za-z0-9._-]+", plain[1])
    charset, _language, coded = header.partition("filename*=")[2].split("'")
    assert charset == "UTF-8" and bytes.fromhex("".join(_hex(coded))).decode() == f"{name}.csv"


def _hex(coded):
    for match in re.finditer(r"%([0-9A-F]{2})|(.)", coded):
        yield match[1] or f"{ord(match[2]):02x}"


# ---- ranges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-9", (ByteRange(0, 10),)),
        ("Bytes = 0-9", (ByteRange(0, 10),)),
        ("bytes=90-", (ByteRange(90, 100),)),
        ("bytes=90-500", (ByteRange(90, 100),)),
        ("bytes=-10", (ByteRange(90, 100),)),
        ("bytes=-500", (ByteRange(0, 100),)),
        ("bytes=0-1, 5-6", (ByteRange(0, 2), ByteRange(5, 7))),
        ("bytes=5-6,0-1", (ByteRange(5, 7), ByteRange(0, 2))),
        ("bytes=0-9,5-14", (ByteRange(0, 15),)),
        ("bytes=0-4,5-9", (ByteRange(0, 10),)),
        ("bytes=0-1,50-51,0-60", (ByteRange(0, 61),)),
        ("bytes=0-1,200-300", (ByteRange(0, 2),)),
        ("bytes=,0-1,", (ByteRange(0, 2),)),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes=9-1", None),
        ("bytes=0-1,9-1", None),
        ("bytes=0-1,x", None),
        ("bytes=0 - 1", None),
        ("rows=0-9", None),
        ("bytes", None),
    ],
)
def test_ranges_are_read_as_rfc_9110_has_them(header, expected):
    assert files.byte_ranges(header, 100) == expected


@pytest.mark.parametrize(
    "header", ["bytes=100-", "bytes=-0", f"bytes={'9' * 5000}-", "bytes=100-,200-", "bytes=" + ",".join(["0-0"] * 17)]
)
def test_ranges_beyond_the_end_and_too_many_are_refused(header):
    with pytest.raises(ValueError, match="range"):
        files.byte_ranges(header, 100)


asked = st.lists(
    st.tuples(st.integers(0, 70), st.integers(0, 70)).map(sorted) | st.integers(0, 70), min_size=1, max_size=16
)


@given(asked, st.integers(1, 60))
def test_together_the_ranges_are_exactly_the_bytes_asked_for_and_none_twice(wanted, size):
    parts = [f"{one[0]}-{one[1]}" if isinstance(one, list) else f"-{one}" for one in wanted]
    meant = set()
    for one in wanted:
        meant |= set(range(one[0], one[1] + 1) if isinstance(one, list) else range(max(0, size - one), size))
    meant &= set(range(size))
    try:
        found = files.byte_ranges("bytes=" + ",".join(parts), size)
    except ValueError:
        assert not meant
        return
    served = [byte for one in found for byte in range(one.start, one.end)]
    assert sorted(served) == sorted(meant)
    assert all(found.index(one) == 0 or _apart(found[: found.index(one)], one) for one in found)


def _apart(others, one):
    return all(one.end < other.start or other.end < one.start for other in others)


@given(st.text(max_size=60), st.integers(1, 10**12))
def test_no_header_breaks_the_reading_of_ranges(text, size):
    for header in (text, f"bytes={text}"):
        try:
            found = files.byte_ranges(header, size)
        except ValueError:
            continue
        assert found is None or all(0 <= one.start < one.end <= size for one in found)


def test_a_body_of_several_ranges_is_as_long_as_it_says_and_reads_as_multipart():
    whole = bytes(range(256)) * 4
    ranges = files.byte_ranges("bytes=0-9,100-119,-5", len(whole))
    pieces = files.multipart(ranges, len(whole), "text/csv", "edge")
    body = b"".join(one.text + (whole[one.part.start : one.part.end] if one.part else b"") for one in pieces)
    assert len(body) == files.length_of(pieces)
    sections = body.split(b"--edge")
    assert sections[0] == b"\r\n" and sections[-1] == b"--\r\n" and len(sections) == 5
    first = sections[1]
    assert b"Content-Range: bytes 0-9/1024\r\n\r\n" + whole[:10] in first
