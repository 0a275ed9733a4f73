"""Secrets, identity numbers and phones do not reach a log line."""

import json
import logging
import sys

import pytest

from service.base.log import JsonLines, mask, request_id

# Made up: digits in the shape of an identity number and of a mobile number.
IDENTITY = "33010219" + "900307" + "123X"
PHONE = "138" + "00138000"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer qta_abcdefghijklmnop", "abcdefghijklmnop"),
        ("Authorization: Basic Y2xpZW50OnNlY3JldA==", "Y2xpZW50OnNlY3JldA=="),
        ("client_secret=qts_abcdefghijk&grant=1", "qts_abcdefghijk"),
        ('{"password": "correct horse"}', "correct"),
        (f"申请人 {IDENTITY} 已登记", IDENTITY),
        (f"call {PHONE} now", PHONE),
    ],
)
def test_a_secret_is_masked(text, secret):
    assert secret not in mask(text)


def test_ordinary_numbers_and_ids_stay():
    text = "grant 01hqzv3k8w4n5s6t7v8x9y0z1a rows 336776 at 2026-11-24"
    assert mask(text) == text


def test_a_line_is_one_json_object_with_the_request_s_id():
    record = logging.LogRecord("http", logging.INFO, __file__, 1, "answered %s", (f"to {PHONE}",), None)
    token = request_id.set("r-1")
    try:
        line = JsonLines().format(record)
    finally:
        request_id.reset(token)
    assert "\n" not in line
    parsed = json.loads(line)
    assert parsed["request"] == "r-1"
    assert PHONE not in line


def test_a_line_stays_json_whatever_is_masked_in_it():
    try:
        raise KeyError("QIANTANG")
    except KeyError:
        failed = sys.exc_info()
    fields = {
        "code": 'SECRET = os.environ["NAME"]',
        "secret": "a b",
        "phone": int(PHONE),
        "rows": 7,
        "deep": [{"token": "x"}],
    }
    record = logging.LogRecord("http", logging.ERROR, __file__, 1, 'password = "a\\" b', (), failed)
    record.fields = fields
    line = json.loads(JsonLines().format(record))
    assert (line["secret"], line["phone"], line["rows"], line["deep"]) == ("***", "***", 7, [{"token": "***"}])
    assert "KeyError" in line["error"] and "os.environ" not in line["code"]
