"""Limits of a grant over HTTP: what is left stands on every answer; what is spent is refused until there is more."""

import re
from datetime import timedelta

import pytest

from service.base import cache, clock
from service.data.api import files
from tests.http.answers import problem, usage

ROWS = "/api/v1/datasets/parking-records/rows"


def limit(world, **quota):
    words = ", ".join(f'"{name}": {value}' for name, value in quota.items())
    world.change(f'update "grant" set quota = :quota', quota=f"{{{words}}}")  # noqa: F541


def left(answer):
    return {name: int(rest) for name, rest in re.findall(r'"(\w+)";r=(\d+)', answer.headers["RateLimit"])}


def test_every_answer_under_a_grant_says_what_is_left(world):
    limit(world, rows_per_day=1000, bytes_per_day=10**9, requests_per_minute=50)
    token = world.token()
    first, second = world.rows(token, "?limit=100"), world.rows(token, "?limit=10")
    assert '"rows";q=1000;w=86400' in first.headers["RateLimit-Policy"]
    assert (left(first)["rows"], left(second)["rows"]) == (900, 890)
    assert (left(first)["requests"], left(second)["requests"]) == (49, 48)
    refused = world.rows(token, "?select=plate")
    assert refused.status_code == 403 and left(refused)["requests"] == 47
    assert "RateLimit" not in world.rows(None, dataset="exchange-rates").headers


def test_a_minute_s_requests_are_spent_for_every_face_at_once(world):
    limit(world, requests_per_minute=3)
    token = world.token()
    assert world.rows(token).status_code == 200
    assert world.file(token).status_code == 200
    assert world.file(token, If_None_Match="*").status_code == 304
    for answer in (world.rows(token), world.file(token), world.get("/api/v1/datasets/parking-records/schema", token)):
        problem(answer, 429, "quota-spent")
        assert 0 < int(answer.headers["Retry-After"]) <= 60 and left(answer)["requests"] == 0
        assert world.grant in answer.json["page"]


def test_a_day_s_rows_are_spent_and_given_anew_at_midnight_in_beijing(world):
    limit(world, rows_per_day=150)
    token = world.token()
    assert world.rows(token, "?limit=100").status_code == 200
    problem(world.rows(token, "?limit=100"), 429, "quota-spent")
    assert world.rows(token, "?limit=50").status_code == 200
    spent = world.rows(token, "?limit=1")
    problem(spent, 429, "quota-spent")
    clock.set_shift(timedelta(seconds=int(spent.headers["Retry-After"]) + 1))
    assert world.rows(world.token(), "?limit=100").status_code == 200


def test_a_file_that_does_not_fit_into_the_day_is_not_begun(world):
    token = world.token()
    size = len(world.file(token).data)
    limit(world, bytes_per_day=2 * size + 10)
    assert world.file(token).data
    answer = world.file(token)
    problem(answer, 429, "quota-spent")
    assert world.file(token, Range="bytes=0-9").data


def test_a_file_on_its_way_leaves_no_room_for_a_second(world, monkeypatch):
    monkeypatch.setattr(files, "CHUNK", 1 << 14)
    token = world.token()
    size = len(world.file(token).data)
    world.change("delete from usage_day where client_id = :id", id=world.client_id)
    limit(world, bytes_per_day=size + 100)
    first = world.file(token)
    pieces = first.iter_encoded()
    sent = len(next(pieces))
    problem(world.file(token), 429, "quota-spent")
    first.close()
    assert usage(world)[-1][4] == sent
    assert world.file(token, Range=f"bytes={sent}-").status_code == 206, "what was not sent is free again"


def test_heads_and_unchanged_files_count_as_requests_of_no_bytes(world):
    limit(world, requests_per_minute=2)
    token = world.token()
    head = {"Authorization": f"Bearer {token}"}
    assert world.visitor().head("/api/v1/datasets/parking-records/files/data.csv", headers=head).status_code == 200
    assert world.file(token, If_None_Match="*").status_code == 304
    problem(world.file(token), 429, "quota-spent")
    assert [row[3:] for row in usage(world)] == [(0, 0, 1), (0, 0, 1)]


def test_without_limits_of_its_own_a_grant_has_those_of_its_level(world):
    answer = world.rows(world.token())
    assert left(answer)["requests"] >= 100 and left(answer)["bytes"] > 10**9


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0"])
def test_while_the_shared_counters_are_away_each_worker_counts_by_itself(world, url):
    token = world.token()
    limit(world, requests_per_minute=2)
    cache.connect(url)
    try:
        assert [world.rows(token).status_code for _ in range(3)] == [200, 200, 429]
    finally:
        cache.connect("memory://")
