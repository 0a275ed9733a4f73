"""Measuring rows that are to be had against rows that are had, in a child."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from service.base import blobs
from service.grants import engine
from service.grants.actions.views import Source
from service.grants.engine import Smallest
from service.grants.rules import Recipe


@dataclass(frozen=True, slots=True)
class Rows:
    """What a recipe keeps of a version that is made of these parts."""

    recipe: Recipe
    parts: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is measured: rows to be had, against rows that are had (None: by themselves); see engine.Compare."""

    after: Rows
    before: Rows | None
    common: tuple[str, ...]
    by: tuple[str, ...]
    k: int
    alike: bool


def compare(wanted: Comparison) -> Smallest:
    """Return the smallest groups below k.  Raises BadTransform, Failed, and what a store raises that is away."""
    with TemporaryDirectory(prefix="qiantang-groups-") as folder, ExitStack() as held:
        paths: dict[str, Path] = {}
        for side in (wanted.after, wanted.before):
            for part in side.parts if side else ():
                if part.key not in paths:
                    paths[part.key] = held.enter_context(blobs.as_file(part.key))
        job = engine.Compare(
            _side(wanted.after, wanted.before, paths),
            _side(wanted.before, wanted.after, paths) if wanted.before else None,
            wanted.common, wanted.by, wanted.k, wanted.alike, Path(folder),
        )  # fmt: skip
        return engine.measured(job, lambda _share: None)


def _side(side: Rows, other: Rows | None, paths: dict[str, Path]) -> engine.Side:
    theirs = {part.part_id for part in other.parts} if other else set()
    own = tuple(paths[part.key] for part in side.parts if part.part_id not in theirs)
    return engine.Side(_paths(side.parts, paths), own, side.recipe)


def _paths(parts: Sequence[Source], paths: dict[str, Path]) -> tuple[Path, ...]:
    return tuple(paths[part.key] for part in parts)
