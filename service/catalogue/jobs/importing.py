"""Importing a dataset by its manifest: the file is read and stored first, then one short transaction enters it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from service.base import blobs, clock
from service.base.db import writing
from service.base.errors import Invalid
from service.base.i18n import N_, gettext
from service.catalogue import actions
from service.catalogue.actions.versions import StoredData
from service.catalogue.engine import loading, manifests, synthetic
from service.catalogue.engine.loading import STRICT, UNKNOWN, Loaded, Reading, Tolerance, Wanted, Worker
from service.catalogue.forms import MARKED, UNSUPPORTED, Manifest
from service.catalogue.rules import BadData, Marked
from service.catalogue.tables import Dataset
from service.policy import engine as policy

NO_FILE = N_("找不到数据文件 %(name)s")
NO_GENERATOR = N_("没有名为 %(name)s 的生成程序")

Told = Callable[[Loaded], None]


@dataclass(frozen=True, slots=True)
class Way:
    """How files are to be read: what is known of them, how many rows may be left out, and the process that reads.

    With a `worker` one child reads many files; without, each file has its own.
    """

    reading: Reading = UNKNOWN
    tolerance: Tolerance = STRICT
    worker: Worker | None = None


USUAL = Way()


def import_dataset(
    manifest_file: Path, *, by: str, append: bool = False, way: Way = USUAL, told: Told | None = None
) -> Dataset:
    """Import the dataset that `manifest_file` describes from the data beside it; return its row.

    `append` adds the data to what the newest version holds; otherwise it is the whole of the new version.  `told` hears
    how the file was read and what of it was left out.

    Raises Invalid for a manifest, BadData for data that does not hold, Marked for a file that bears secrecy marks, each
    with every fault; nothing is entered then.
    """
    manifest = manifests.read(manifest_file, Manifest)
    return import_manifest(manifest, manifest_file.parent, by=by, append=append, way=way, told=told)


def import_manifest(
    manifest: Manifest, beside: Path, *, by: str, append: bool = False, way: Way = USUAL, told: Told | None = None
) -> Dataset:
    """Import the dataset of a manifest that was read, from the data in the folder `beside`; as import_dataset."""
    data = store_data(manifest, beside, way=way, told=told)
    with writing() as session:
        now = clock.now(session)
        vocabulary = policy.current().vocabulary
        return actions.import_dataset(session, manifest, data, vocabulary=vocabulary, append=append, by=by, now=now)


def store_data(manifest: Manifest, beside: Path, *, way: Way = USUAL, told: Told | None = None) -> StoredData:
    """Turn the manifest's data into typed Parquet in the blob store and return what is known of it.

    The upload itself does not stay.  An object that no transaction enters afterwards names its own content and harms
    nobody.
    """
    wanted = [Wanted(column.heading, column.name, column.type) for column in manifest.columns]
    with TemporaryDirectory(prefix="qiantang-import-") as name:
        folder = Path(name)
        source = _source(manifest, beside, folder)
        loaded = _load(source, folder, wanted, manifest, way)
        if told is not None:
            told(loaded)
        key = f"raw/{loaded.sha256}.parquet"
        blobs.put(key, loaded.path)
    return StoredData(
        key, loaded.sha256, loaded.rows, loaded.bytes, loaded.period_from, loaded.period_to, loaded.report.document()
    )


def _load(source: Path, folder: Path, wanted: Sequence[Wanted], manifest: Manifest, way: Way) -> Loaded:
    """Have the file read; Marked where it bears a secrecy mark, whatever else is wrong with it."""
    try:
        loaded = loading.load(
            source, folder, wanted, time_column=manifest.time_column,
            reading=way.reading, tolerance=way.tolerance, worker=way.worker,
        )  # fmt: skip
    except BadData as fault:
        if fault.marks:
            raise _marked(fault.marks) from None
        raise
    if loaded.marks:
        raise _marked(loaded.marks)
    return loaded


def _marked(marks: Sequence[str]) -> Marked:
    return Marked(errors=[{"field": "", "message": gettext(MARKED, mark=mark)} for mark in marks])


def _source(manifest: Manifest, beside: Path, folder: Path) -> Path:
    wanted = manifest.data
    if wanted.generator is not None and wanted.seed is not None:
        if wanted.generator not in synthetic.GENERATORS:
            raise _wrong("data.generator", NO_GENERATOR, name=wanted.generator)
        return synthetic.write(wanted.generator, wanted.seed, folder)
    file = beside / str(wanted.path)
    if file.suffix.lower() not in loading.SUFFIXES:
        raise _wrong("data.path", UNSUPPORTED, suffixes=" ".join(loading.SUFFIXES))
    if not file.is_file():
        raise _wrong("data.path", NO_FILE, name=str(wanted.path))
    return file


def _wrong(field: str, message: str, **blanks: object) -> Invalid:
    return Invalid(errors=[{"field": field, "message": gettext(message, **blanks)}])
