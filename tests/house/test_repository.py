"""What may not stand in the repository: addresses in locks, somebody's folders, secrets."""

import re

import pytest

from tests.house.scan import ROOT, files, text_of

LOCKS = sorted(path.name for path in ROOT.glob("requirements*.lock"))
ADDRESS = re.compile(r"[a-z]+://|^-|--(extra-)?index|--find-links|@ ", re.MULTILINE)
# The words are put together here, so that this file does not find itself.
REGISTRIES = (
    "pypi" + ".org",
    "python" + "hosted" + ".org",
    "registry." + "npmjs",
    "deb." + "debian",
    "proxy." + "golang",
    "docker." + "io",
)
FOLDERS = re.compile(r"(?<![\w.$}/-])/(home|root|Users|work)/[\w.-]+")
SECRETS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30}")


def test_there_is_a_lock_for_running_testing_and_building():
    assert LOCKS == ["requirements-build.lock", "requirements-test.lock", "requirements.lock"]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_packages_and_hashes_and_no_address(name):
    text = (ROOT / name).read_text()
    assert not ADDRESS.search(text.replace("    --hash", "    hash"))
    entries = re.findall(r"^[\w.-]+==[\w.]+", text, re.MULTILINE)
    assert entries
    assert text.count("--hash=sha256:") >= len(entries)


def test_the_test_lock_adds_to_the_runtime_lock_and_changes_nothing_in_it():
    def names(lock: str) -> set[str]:
        return set(re.findall(r"^([\w.-]+)==", (ROOT / lock).read_text(), re.MULTILINE))

    assert not names("requirements.lock") & names("requirements-test.lock")


def test_no_file_names_a_registry_a_private_folder_or_a_secret():
    bad = []
    for path in files():
        text = text_of(path) or ""
        where = path.relative_to(ROOT)
        bad += [f"{where}: {word}" for word in REGISTRIES if word in text]
        bad += [f"{where}: {match.group()}" for match in FOLDERS.finditer(text)]
        bad += [f"{where}: {match.group()}" for match in SECRETS.finditer(text)]
    assert not bad


def test_no_lock_format_that_records_addresses_is_here():
    assert not [name for name in ("uv.lock", "poetry.lock", "Pipfile.lock") if (ROOT / name).exists()]
