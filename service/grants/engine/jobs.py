"""What is asked of the child process that makes views, and what it answers, as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from service.grants.engine.building import BuiltFile
from service.grants.engine.treating import Keys
from service.grants.rules import Format, Promise, Recipe
from service.grants.rules.transforms import document, read


@dataclass(frozen=True, slots=True)
class Cut:
    """Make and measure what a recipe keeps of parts of a version."""

    sources: tuple[Path, ...]
    recipe: Recipe
    folder: Path
    keys: Keys


@dataclass(frozen=True, slots=True)
class Write:
    """Write and measure a whole view of `rows` rows in one format."""

    parts: tuple[Path, ...]
    format: Format
    promise: Promise
    rows: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Side:
    """Rows that somebody has or is to have: what a recipe keeps of the parts `sources` of a version.

    `own` are those parts that the other side does not hold.
    """

    sources: tuple[Path, ...]
    own: tuple[Path, ...]
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Compare:
    """Measure rows that are to be had (`after`) against rows that are had already (`before`; None: by themselves).

    Rows are compared by the columns `common`, and those that came or went counted by the values of `by`; `k` is what
    each count must reach.  `alike`: both sides are of one recipe, so that parts which both hold cancel out.
    """

    after: Side
    before: Side | None
    common: tuple[str, ...]
    by: tuple[str, ...]
    k: int
    alike: bool
    folder: Path


@dataclass(frozen=True, slots=True)
class Smallest:
    """The smallest groups that were found where they are below k: of the whole, of what came and of what went."""

    whole: int | None = None
    came: int | None = None
    gone: int | None = None


Job = Cut | Write | Compare


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a job: a file, and what is worse about it than it should be (then nobody may have it)."""

    file: BuiltFile
    reasons: tuple[str, ...]


def asked(job: Job) -> dict[str, Any]:
    """Return a job as a document; keys are in it, so that it is for the child's ears only."""
    if isinstance(job, Compare):
        before = _side(job.before) if job.before else None
        return {
            "do": "compare", "after": _side(job.after), "before": before, "common": list(job.common),
            "by": list(job.by), "k": job.k, "alike": job.alike, "folder": str(job.folder),
        }  # fmt: skip
    if isinstance(job, Write):
        promise = asdict(job.promise)
        return {
            "do": "write", "parts": _texts(job.parts), "format": job.format.value, "promise": promise, "rows": job.rows,
            "folder": str(job.folder),
        }  # fmt: skip
    keys = {"namespace": job.keys.namespace.hex(), "cells": job.keys.cells.hex()}
    sources, recipe = _texts(job.sources), _written(job.recipe)
    return {"do": "cut", "sources": sources, "recipe": recipe, "folder": str(job.folder), "keys": keys}


def _side(side: Side) -> dict[str, Any]:
    return {"sources": _texts(side.sources), "own": _texts(side.own), "recipe": _written(side.recipe)}


def _written(recipe: Recipe) -> dict[str, Any]:
    words = asdict(recipe) | {"transforms": [document(step) for step in recipe.transforms]}
    for name in ("since", "until"):
        words[name] = words[name].isoformat() if words[name] else None
    return words


def heard(words: Mapping[str, Any]) -> Job:
    """Return the job that a document is."""
    folder = Path(words["folder"])
    if words["do"] == "compare":
        before = _heard_side(words["before"]) if words["before"] else None
        return Compare(
            _heard_side(words["after"]), before, tuple(words["common"]), tuple(words["by"]), words["k"],
            words["alike"], folder,
        )  # fmt: skip
    if words["do"] == "write":
        promise = Promise(**{name: tuple(value) for name, value in words["promise"].items()})
        return Write(_paths(words["parts"]), Format(words["format"]), promise, words["rows"], folder)
    keys = Keys(**{name: bytes.fromhex(value) for name, value in words["keys"].items()})
    return Cut(_paths(words["sources"]), _recipe(words["recipe"]), folder, keys)


def _heard_side(words: Mapping[str, Any]) -> Side:
    return Side(_paths(words["sources"]), _paths(words["own"]), _recipe(words["recipe"]))


def _recipe(words: Mapping[str, Any]) -> Recipe:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in words.items()}
    for name in ("since", "until"):
        values[name] = date.fromisoformat(values[name]) if values[name] else None
    return Recipe(**values | {"transforms": read(words["transforms"])})


def told(made: Made | Smallest) -> dict[str, Any]:
    if isinstance(made, Smallest):
        return asdict(made)
    return {"file": asdict(made.file) | {"path": str(made.file.path)}, "reasons": list(made.reasons)}


def understood(words: Mapping[str, Any]) -> Made:
    file = words["file"]
    return Made(BuiltFile(**file | {"path": Path(file["path"])}), tuple(words["reasons"]))


def _texts(paths: Sequence[Path]) -> list[str]:
    return [str(path) for path in paths]


def _paths(texts: Sequence[str]) -> tuple[Path, ...]:
    return tuple(Path(text) for text in texts)
