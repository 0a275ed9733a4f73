"""Bringing data in: from a manifest at the terminal, from a steward's upload."""

from service.catalogue.jobs.importing import Told, Way, import_dataset, import_manifest, store_data
from service.catalogue.jobs.uploads import expire_uploads, load_uploads, read_uploads

__all__ = [
    "Told", "Way", "expire_uploads", "import_dataset", "import_manifest", "load_uploads", "read_uploads", "store_data",
]  # fmt: skip
