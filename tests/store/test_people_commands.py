"""`qiantang people` on both databases."""

import pytest
from click.testing import CliRunner

from service.base import db
from service.base.roles import Role
from service.people import engine, store
from service.people.commands import people

PASSWORD = "correct horse battery"


@pytest.fixture
def run(database, tmp_path, monkeypatch):
    """Return a function that runs one command against this test's database."""
    monkeypatch.setenv("QIANTANG_DATABASE_URL", database.url)
    monkeypatch.setenv("QIANTANG_HOME", str(tmp_path))
    return lambda *words: CliRunner().invoke(people, words)


@pytest.fixture
def bureau(run):
    assert run("unit", "--id", "bureau", "--kind", "source", "--name", "交通局").output == "bureau\n"
    return "bureau"


def add(run, *words: str, login: str = "li.wei", password: str = PASSWORD):
    return run("add", "--login", login, "--name", "李伟", "--password", password, *words)


def test_the_desk_adds_a_unit_and_its_person(run, bureau):
    done = add(run, "--unit", bureau, "--role", "steward", login="LI.Wei")
    assert done.exit_code == 0
    with db.reading() as session:
        person = store.person_by_login(session, "li.wei")
        assert done.output == f"{person.id}\n"
        assert store.roles_of(session, person.id) == {Role.STEWARD}
        assert engine.verify(person.password_hash, PASSWORD)
        assert store.verified(session, bureau)


def test_the_password_is_asked_for_when_it_is_not_given(run, bureau, database):
    words = ["add", "--login", "li.wei", "--name", "李伟", "--unit", bureau, "--role", "steward"]
    done = CliRunner().invoke(people, words, input=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.exit_code == 0
    assert PASSWORD not in done.output


@pytest.mark.parametrize(("words", "changes", "told"), [
    (["--unit", "bureau", "--role", "steward"], {"password": "short"}, "密码至少 10 个字符"),
    (["--unit", "bureau", "--role", "steward"], {"login": "李伟"}, "登录名为 3 至 32 个"),
    (["--unit", "bureau", "--role", "authority"], {}, "该角色不适用于这类单位"),
    (["--unit", "nothing", "--role", "steward"], {}, "没有找到"),
    (["--unit", "bureau", "--role", "emperor"], {}, "emperor"),
])  # fmt: skip
def test_what_does_not_hold_is_told_in_one_sentence(run, bureau, words, changes, told):
    done = add(run, *words, **changes)
    assert done.exit_code != 0
    assert told in done.output
    assert "Traceback" not in done.output


def test_a_wrong_code_and_a_taken_login_are_told(run, bureau):
    wrong = run("unit", "--kind", "enterprise", "--name", "公司", "--uscc", "91330000755918469F")
    assert (wrong.exit_code, "校验位不符" in wrong.output) == (1, True)
    add(run, "--unit", bureau, "--role", "steward")
    twice = add(run, "--unit", bureau, "--role", "steward")
    assert (twice.exit_code, "已有人使用" in twice.output) == (1, True)


def test_roles_are_shown_given_and_taken(run):
    run("unit", "--id", "firm", "--kind", "enterprise", "--name", "公司")
    add(run, "--unit", "firm", "--role", "applicant", "--role", "manager")
    assert run("role", "li.wei").output == "applicant manager\n"
    assert run("role", "li.wei", "--remove", "applicant").output == "manager\n"
    assert run("role", "li.wei", "--add", "applicant").output == "applicant manager\n"
    last = run("role", "li.wei", "--remove", "manager")
    assert (last.exit_code, "至少保留一名管理员" in last.output) == (1, True)
    assert run("role", "nobody").exit_code == 1
