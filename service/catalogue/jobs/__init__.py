"""Bringing data in: from a manifest at the terminal, from a steward's upload."""

from service.catalogue.jobs.importing import Told, Way, import_dataset, import_manifest, store_data

__all__ = ["Told", "Way", "import_dataset", "import_manifest", "store_data"]
