"""The datasets of the demo that came in two versions: a day later, or with a column more."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from service.base import clock, db
from service.base.roles import Role
from service.catalogue import jobs as catalogue
from service.catalogue import store as datasets
from service.catalogue.actions import secrecy
from service.catalogue.engine import manifests, synthetic
from service.catalogue.forms import DataFile, Manifest
from service.catalogue.jobs import Way
from service.home.jobs.cast import SYSTEM, actor, cast
from service.screening import jobs as publishing


def later(dataset_id: str) -> dict[str, Any] | None:
    """Return what the cast says of a dataset's second version; None when it has one only."""
    found: dict[str, Any] | None = next((one for one in cast()["later"] if one["dataset"] == dataset_id), None)
    return found


def import_first(file: Path, said: dict[str, Any], way: Way) -> None:
    """Import the first version: all days but the last, or every column but one."""
    with _generated(file) as (manifest, data):
        if name := said.get("column"):
            columns = [column for column in manifest.columns if column.name != name]
            _import(manifest.model_copy(update={"columns": columns}), synthetic.without(data, name), way)
        else:
            first, _last = synthetic.divide(data, said["append"])
            _import(manifest, first, way)


def import_second(file: Path, said: dict[str, Any], way: Way) -> None:
    """Import what came later, and publish it or file it for its secrecy review."""
    with _generated(file) as (manifest, data):
        if "column" in said:
            _import(manifest, data, way)
        else:
            _first, last = synthetic.divide(data, said["append"])
            _import(manifest, last, way, append=True)
    if "filed" not in said:
        publishing.publish_dataset(manifest.id, stated=publishing.AT_TERMINAL, by=SYSTEM)
        return
    with db.writing() as session:
        number = datasets.newest(session, manifest.id).number
        officer = actor(session, Role.STEWARD, unit=manifest.source_unit).person_id
        now = clock.now(session)
        secrecy.file_review(session, manifest.id, number, opinion=said["filed"], by=officer, now=now)


def _import(manifest: Manifest, file: Path, way: Way, *, append: bool = False) -> None:
    here = manifest.model_copy(update={"data": DataFile(path=file.name)})
    catalogue.import_manifest(here, file.parent, by=SYSTEM, append=append, way=way)


@contextmanager
def _generated(file: Path) -> Iterator[tuple[Manifest, Path]]:
    """Give a shipped manifest with the whole table that it generates, in a folder of its own."""
    manifest = manifests.read(file, Manifest)
    assert manifest.data.generator is not None and manifest.data.seed is not None  # only these are divided
    with TemporaryDirectory(prefix="qiantang-demo-") as name:
        yield manifest, synthetic.write(manifest.data.generator, manifest.data.seed, Path(name))
