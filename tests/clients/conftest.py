"""What the tests of really served processes share."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from service import migrations
from service.base import db
from tests import running
from tests.conftest import Database
from tests.store import rows


@dataclass(frozen=True)
class Place:
    """A HOME with the demo loaded, and the variables that name its database."""

    home: Path
    variables: dict[str, str]


@pytest.fixture
def place(empty_database: Database, tmp_path: Path) -> Place:
    """The loaded demo on each engine in turn; this process is connected to its database too."""
    home = tmp_path / "home"
    shutil.copytree(running.loaded(), home)
    db.connect(f"sqlite:///{home}/qiantang.db")
    loaded = rows.read()
    db.connect(empty_database.url)
    migrations.upgrade()
    rows.write(loaded)
    return Place(home, {"QIANTANG_DATABASE_URL": empty_database.url})
