"""Libraries that the catalogue wraps: DuckDB reads tables, pydantic and YAML read manifests, rjieba cuts words."""

from importlib import resources
from pathlib import Path


def samples() -> list[Path]:
    """Return the manifests of the datasets that ship, by name; an origin comes before what is derived from it."""
    folder = Path(str(resources.files("service.catalogue") / "samples"))
    return sorted(folder.glob("*.yaml"), key=lambda file: file.stem)
