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
class Made:
    """What came of a job: a file, and what is worse about it than it should be (then nobody may have it)."""

    file: BuiltFile
    reasons: tuple[str, ...]


def asked(job: Cut | Write) -> dict[str, Any]:
    """Return a job as a document; keys are in it, so that it is for the child's ears only."""
    if isinstance(job, Write):
        promise = asdict(job.promise)
        return {
            "do": "write", "parts": _texts(job.parts), "format": job.format.value, "promise": promise, "rows": job.rows,
            "folder": str(job.folder),
        }  # fmt: skip
    recipe = asdict(job.recipe) | {"transforms": [document(step) for step in job.recipe.transforms]}
    for name in ("since", "until"):
        recipe[name] = recipe[name].isoformat() if recipe[name] else None
    keys = {"namespace": job.keys.namespace.hex(), "cells": job.keys.cells.hex()}
    sources = _texts(job.sources)
    return {"do": "cut", "sources": sources, "recipe": recipe, "folder": str(job.folder), "keys": keys}


def heard(words: Mapping[str, Any]) -> Cut | Write:
    """Return the job that a document is."""
    folder = Path(words["folder"])
    if words["do"] == "write":
        promise = Promise(**{name: tuple(value) for name, value in words["promise"].items()})
        return Write(_paths(words["parts"]), Format(words["format"]), promise, words["rows"], folder)
    keys = Keys(**{name: bytes.fromhex(value) for name, value in words["keys"].items()})
    return Cut(_paths(words["sources"]), _recipe(words["recipe"]), folder, keys)


def _recipe(words: Mapping[str, Any]) -> Recipe:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in words.items()}
    for name in ("since", "until"):
        values[name] = date.fromisoformat(values[name]) if values[name] else None
    return Recipe(**values | {"transforms": read(words["transforms"])})


def told(made: Made) -> dict[str, Any]:
    return {"file": asdict(made.file) | {"path": str(made.file.path)}, "reasons": list(made.reasons)}


def understood(words: Mapping[str, Any]) -> Made:
    file = words["file"]
    return Made(BuiltFile(**file | {"path": Path(file["path"])}), tuple(words["reasons"]))


def _texts(paths: Sequence[Path]) -> list[str]:
    return [str(path) for path in paths]


def _paths(texts: Sequence[str]) -> tuple[Path, ...]:
    return tuple(Path(text) for text in texts)
