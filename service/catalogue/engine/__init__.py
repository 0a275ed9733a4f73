"""Libraries that the catalogue wraps: DuckDB reads tables, pydantic and YAML read manifests, rjieba cuts words."""

from importlib import resources
from pathlib import Path


def samples() -> list[Path]:
    """Return the manifests of the nine datasets that ship, in order; an origin comes before what is derived from it."""
    return sorted(Path(str(resources.files("service.catalogue") / "samples")).glob("*.yaml"))
