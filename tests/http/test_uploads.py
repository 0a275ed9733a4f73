"""Uploads that resume, as a steward's program sends them: piece by piece, nothing half done, nothing for others."""

import base64
import errno
import hashlib
import io
import os
import threading
from datetime import timedelta

import pytest

from service.base import clock, db
from service.base.http import settings as settings_of
from service.base.roles import Role
from service.catalogue import jobs
from service.catalogue.engine import parked
from service.catalogue.rules.uploads import LASTS, MOST_BYTES, MOST_OPEN
from service.catalogue.tables import ImportRun
from tests.http.conftest import log_in, open_browser
from tests.store import granted

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = TUS | {"Content-Type": "application/offset+octet-stream"}
DATA = b"plate,lot_id,entry_time,minutes,vehicle_type\n" + b"A1,L001,2026-09-01 08:00,15,car\n" * 40
SIZE = len(DATA)


@pytest.fixture
def steward(app, tmp_path):
    """A steward of the source unit of a dataset that is there."""
    with db.writing() as session:
        granted.settle(session)
        granted.publish(session, granted.records(20), tmp_path)
    return log_in(app, Role.STEWARD, unit_id="source")


@pytest.fixture
def home(app):
    with app.app_context():
        return settings_of().home


def told(**said):
    pairs = (f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in said.items())
    return {"Upload-Metadata": ",".join(pairs)}


def announce(client, size=SIZE, name="records.csv", dataset=granted.DATASET, **headers):
    headers = TUS | {"Upload-Length": str(size)} | told(dataset=dataset, filename=name) | headers
    return client.post("/api/v1/uploads", headers=headers)


def begin(client, **given):
    answer = announce(client, **given)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def send(client, url, offset, data, **headers):
    return client.patch(url, data=data, headers=PIECE | {"Upload-Offset": str(offset)} | headers)


def offset_of(client, url):
    return int(client.head(url, headers=TUS).headers["Upload-Offset"])


def digest(data, name="sha256"):
    return f"{name} {base64.b64encode(hashlib.new(name, data).digest()).decode()}"


def problem(answer):
    return answer.status_code, answer.headers["Qiantang-Problem"]


def file_of(home, url):
    run_id = url.rpartition("/")[2]
    return next((home / "uploads").glob(f"{run_id}*"))


def test_the_protocol_says_what_it_speaks(visitor):
    answer = visitor.options("/api/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert set(answer.headers["Tus-Extension"].split(",")) == {"creation", "termination", "checksum", "expiration"}
    assert answer.headers["Tus-Max-Size"] == str(MOST_BYTES)
    assert "sha256" in answer.headers["Tus-Checksum-Algorithm"]


def test_pieces_one_after_the_other_become_the_file(steward, home):
    url = begin(steward)
    for at in range(0, len(DATA), 500):
        answer = send(steward, url, at, DATA[at : at + 500], **{"Upload-Checksum": digest(DATA[at : at + 500])})
        assert answer.status_code == 204
        assert int(answer.headers["Upload-Offset"]) == min(at + 500, len(DATA))
        assert "Upload-Expires" in answer.headers
    assert file_of(home, url).read_bytes() == DATA
    assert steward.get(url).json["state"] == "waiting"


def test_a_piece_from_a_wrong_place_is_refused_and_told_where_to_go_on(steward):
    url = begin(steward)
    send(steward, url, 0, DATA[:100])
    for wrong in (0, 99, 101, len(DATA)):
        answer = send(steward, url, wrong, DATA[wrong : wrong + 1])
        assert problem(answer) == (409, "upload-offset")
        assert answer.json["offset"] == 100
    assert offset_of(steward, url) == 100


def test_more_than_was_announced_is_refused_and_nothing_of_it_kept(steward, home):
    url = begin(steward, size=10)
    assert problem(send(steward, url, 0, b"x" * 11)) == (413, "upload-too-long")
    chunked = {"input_stream": io.BytesIO(b"y" * 11), "environ_overrides": {"wsgi.input_terminated": True}}
    answer = steward.patch(url, headers=PIECE | {"Upload-Offset": "0", "Transfer-Encoding": "chunked"}, **chunked)
    assert problem(answer) == (413, "upload-too-long")
    assert offset_of(steward, url) == 0
    assert file_of(home, url).stat().st_size == 0


@pytest.mark.parametrize("name", ["sha256", "sha1"])
def test_a_piece_that_was_changed_on_its_way_is_not_kept(steward, home, name):
    url = begin(steward)
    send(steward, url, 0, DATA[:50], **{"Upload-Checksum": digest(DATA[:50], name)})
    answer = send(steward, url, 50, DATA[50:90], **{"Upload-Checksum": digest(b"something else", name)})
    assert problem(answer) == (460, "upload-checksum")
    assert offset_of(steward, url) == 50
    assert file_of(home, url).read_bytes() == DATA[:50]


def test_another_unit_s_upload_is_not_there(steward, app):
    url = begin(steward)
    stranger = log_in(app, Role.STEWARD)
    for answer in (
        stranger.get(url), stranger.head(url, headers=TUS), send(stranger, url, 0, b"x"),
        stranger.delete(url, headers=TUS), announce(stranger),
    ):  # fmt: skip
        assert answer.status_code == 404
    assert offset_of(steward, url) == 0


@pytest.mark.parametrize("role", [Role.MANAGER, Role.APPLICANT, Role.AUTHORITY, Role.OPERATOR, Role.AUDITOR])
def test_only_stewards_upload(steward, app, role):
    assert announce(log_in(app, role)).status_code == 403


def test_a_visitor_and_another_site_begin_nothing(steward, app, visitor):
    assert announce(visitor).status_code == 401
    steward.environ_base |= {"HTTP_ORIGIN": "https://elsewhere.example", "HTTP_SEC_FETCH_SITE": "cross-site"}
    assert problem(announce(steward)) == (403, "cross-site")


def test_an_upload_that_was_given_up_is_gone_with_its_file(steward, home):
    url = begin(steward)
    send(steward, url, 0, DATA[:100])
    file = file_of(home, url)
    assert steward.delete(url, headers=TUS).status_code == 204
    assert not file.exists()
    assert steward.head(url, headers=TUS).status_code == 410
    assert problem(send(steward, url, 100, b"x")) == (410, "upload-gone")
    assert steward.delete(url, headers=TUS).status_code == 410


def test_an_upload_that_nobody_goes_on_with_ends_after_a_week(steward, home):
    url = begin(steward)
    send(steward, url, 0, DATA[:100])
    file = file_of(home, url)
    with clock.moved(LASTS - timedelta(minutes=1)):
        assert jobs.expire_uploads(home) == 0
    with clock.moved(LASTS + timedelta(minutes=1)):
        assert jobs.expire_uploads(home) == 1
    assert steward.head(url, headers=TUS).status_code == 410
    assert steward.get(url).json["state"] == "expired"
    assert not file.exists()


def test_a_file_that_no_upload_owns_is_deleted_once_it_is_old(steward, home):
    url = begin(steward)
    stray = file_of(home, url).with_name("nobody.csv")
    stray.write_bytes(b"x")
    jobs.expire_uploads(home)
    assert stray.exists()
    for file in (stray, file_of(home, url)):
        os.utime(file, (0, 0))
    jobs.expire_uploads(home)
    assert not stray.exists()
    assert file_of(home, url).exists()


def test_bytes_that_a_dead_worker_left_behind_are_cut_off(steward, home):
    url = begin(steward)
    send(steward, url, 0, DATA[:100])
    with file_of(home, url).open("ab") as file:
        file.write(b"half a piece that no answer ever spoke of")
    assert offset_of(steward, url) == 100
    assert send(steward, url, 100, DATA[100:]).status_code == 204
    assert file_of(home, url).read_bytes() == DATA


def test_a_file_that_lost_bytes_takes_no_more(steward, home):
    url = begin(steward)
    send(steward, url, 0, DATA[:100])
    with file_of(home, url).open("r+b") as file:
        file.truncate(50)
    assert problem(send(steward, url, 100, DATA[100:])) == (410, "upload-gone")


def test_two_pieces_at_once_do_not_mix(steward, home, app):
    url = begin(steward)
    with parked.held(file_of(home, url)):
        answer = send(steward, url, 0, DATA[:10])
        assert problem(answer) == (423, "upload-locked")
        assert "Retry-After" in answer.headers
    barrier, answers = threading.Barrier(4), []

    def race(client):
        barrier.wait()
        answers.append(send(client, url, 0, DATA).status_code)

    clients = [log_in(app, Role.STEWARD, unit_id="source") for _ in range(4)]
    threads = [threading.Thread(target=race, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(204) == 1
    assert set(answers) <= {204, 409, 423}
    assert file_of(home, url).read_bytes() == DATA


def test_a_full_disk_is_said_and_nothing_moves(steward, home, monkeypatch):
    url = begin(steward)
    send(steward, url, 0, DATA[:100])

    def full(file, piece):
        file.write(piece[:7])
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(parked, "_put", full)
    answer = send(steward, url, 100, DATA[100:])
    assert problem(answer) == (507, "upload-no-room")
    assert offset_of(steward, url) == 100
    assert file_of(home, url).stat().st_size == 100
    monkeypatch.undo()
    assert send(steward, url, 100, DATA[100:]).status_code == 204


def test_an_upload_for_which_there_is_no_room_does_not_begin(steward, monkeypatch):
    usage = parked.shutil.disk_usage("/")
    monkeypatch.setattr(parked.shutil, "disk_usage", lambda _path: usage._replace(free=10))
    assert problem(announce(steward)) == (507, "upload-no-room")
    with db.reading() as session:
        assert not session.exec(db.select(ImportRun)).all()


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"size": MOST_BYTES + 1}, 413, "upload-too-long"),
        ({"size": 0}, 422, "invalid"),
        ({"size": "ten"}, 422, "invalid"),
        ({"size": "-1"}, 422, "invalid"),
        ({"name": "records.exe"}, 422, "invalid"),
        ({"name": "绝密★资料.csv"}, 422, "invalid"),
        ({"name": "a\nb.csv"}, 422, "invalid"),
        ({"dataset": "no-such-dataset"}, 404, "not-found"),
        ({"dataset": "../etc"}, 422, "invalid"),
        ({"Upload-Metadata": "dataset !!!"}, 422, "invalid"),
        ({"Tus-Resumable": "0.2.2"}, 412, "upload-protocol"),
    ],
)
def test_what_cannot_be_an_upload_does_not_begin(steward, changed, status, code):
    assert problem(announce(steward, **changed)) == (status, code)


def test_a_piece_says_what_it_is(steward):
    url = begin(steward)
    plain = TUS | {"Content-Type": "text/plain", "Upload-Offset": "0"}
    assert steward.patch(url, data=b"x", headers=plain).status_code == 422
    assert send(steward, url, 0, b"x", **{"Upload-Checksum": "md5 AAAA"}).status_code == 422
    assert steward.patch(url, data=b"x", headers=PIECE).status_code == 422


def test_one_dataset_has_so_many_uploads_open_and_no_more(steward):
    for _ in range(MOST_OPEN):
        begin(steward)
    assert problem(announce(steward)) == (409, "upload-too-many")


def test_an_upload_lies_where_only_its_owner_reads(steward, home):
    url = begin(steward)
    assert file_of(home, url).stat().st_mode & 0o777 == 0o600
    assert (home / "uploads").stat().st_mode & 0o777 == 0o700


def test_the_browser_of_an_applicant_reads_nothing_of_it(steward, app):
    url = begin(steward)
    assert open_browser(app).get(url).status_code == 401
    assert log_in(app, Role.MANAGER).get(url).status_code == 403
