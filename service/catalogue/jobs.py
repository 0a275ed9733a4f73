"""Importing a dataset: the file is read and stored first, then one short transaction enters it."""

from pathlib import Path
from tempfile import TemporaryDirectory

from service.base import blobs, clock
from service.base.db import writing
from service.base.errors import Invalid
from service.base.i18n import N_, gettext
from service.catalogue import actions
from service.catalogue.actions import StoredData
from service.catalogue.engine import loading, manifests, synthetic
from service.catalogue.forms import Manifest
from service.catalogue.tables import Dataset
from service.policy import engine as policy

NO_FILE = N_("找不到数据文件 %(name)s")
NO_GENERATOR = N_("没有名为 %(name)s 的生成程序")
UNSUPPORTED = N_("数据文件应为 .csv 或 .parquet")


def import_dataset(manifest_file: Path, *, by: str) -> Dataset:
    """Import the dataset that `manifest_file` describes from the data beside it; return its row.

    Raises Invalid for a manifest, BadData for data that does not hold, each with every fault; nothing is entered then.
    """
    manifest = manifests.read(manifest_file, Manifest)
    data = store_data(manifest, manifest_file.parent)
    with writing() as session:
        now = clock.now(session)
        vocabulary = policy.current().vocabulary
        return actions.import_dataset(session, manifest, data, vocabulary=vocabulary, by=by, now=now)


def store_data(manifest: Manifest, beside: Path) -> StoredData:
    """Turn the manifest's data into typed Parquet in the blob store and return what is known of it.

    The upload itself does not stay.  An object that no transaction enters afterwards names its own content and harms
    nobody.
    """
    wanted = [loading.Wanted(column.heading, column.name, column.type) for column in manifest.columns]
    with TemporaryDirectory(prefix="qiantang-import-") as name:
        folder = Path(name)
        source = _source(manifest, beside, folder)
        loaded = loading.load(source, folder, wanted, time_column=manifest.time_column)
        key = f"raw/{loaded.sha256}.parquet"
        blobs.put(key, loaded.path)
    return StoredData(key, loaded.sha256, loaded.rows, loaded.bytes, loaded.period_from, loaded.period_to)


def _source(manifest: Manifest, beside: Path, folder: Path) -> Path:
    wanted = manifest.data
    if wanted.generator is not None and wanted.seed is not None:
        if wanted.generator not in synthetic.GENERATORS:
            raise _wrong("data.generator", NO_GENERATOR, name=wanted.generator)
        return synthetic.write(wanted.generator, wanted.seed, folder)
    file = beside / str(wanted.path)
    if file.suffix.lower() not in (".csv", ".parquet"):
        raise _wrong("data.path", UNSUPPORTED)
    if not file.is_file():
        raise _wrong("data.path", NO_FILE, name=str(wanted.path))
    return file


def _wrong(field: str, message: str, **blanks: object) -> Invalid:
    return Invalid(errors=[{"field": field, "message": gettext(message, **blanks)}])
