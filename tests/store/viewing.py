"""Recipes and views of the tests' car park records, made without a database; and what the tests of the jobs look at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from service.base import clock, db, derived
from service.grants import engine, rules, store
from service.grants.engine import BuiltFile, Keys
from service.grants.rules import Described, Format, Recipe
from service.grants.tables import Grant, ReleasedView, ViewFile, ViewPart
from tests.store import granted
from tests.store.granted import COLUMNS, DATASET, NOW

DESCRIBED = tuple(Described(name, *granted.TYPES[name]) for name in granted.TYPES)
PEPPER = b"p" * 32


def recipe(
    columns: Sequence[str] = COLUMNS, row_filter: dict[str, Any] | None = None,
    described: Sequence[Described] = DESCRIBED, steps: Sequence[dict[str, Any]] = (), namespace: str = "g1",
    **changes: Any,
) -> Recipe:  # fmt: skip
    made = rules.recipe(
        dataset_id=DATASET, dataset_version=1, described=described, columns=columns, row_filter=row_filter or {},
        time_column="entry_time", area_column="lot_id", steps=steps, namespace=namespace,
    )  # fmt: skip
    return replace(made, **changes)


def keys(namespace: str = "g1", dataset: str = DATASET) -> Keys:
    return Keys(derived.key(PEPPER, "token", "1", namespace), derived.key(PEPPER, "cells", "1", dataset))


def cut(table: pa.Table, chosen: Recipe, folder: Path, name: str = "part", key: Keys | None = None) -> BuiltFile:
    """Return the part that a recipe makes of a table, in a folder of its own."""
    place = folder / name
    place.mkdir()
    return engine.cut_part([granted.write(table, place / "source.parquet")], chosen, place, key or keys())


@dataclass(frozen=True)
class Whole:
    """A view of one part in every format."""

    part: BuiltFile
    files: dict[Format, BuiltFile]


def whole(table: pa.Table, chosen: Recipe, folder: Path, name: str = "whole") -> Whole:
    part = cut(table, chosen, folder, name)
    place = part.path.parent
    return Whole(part, {one: engine.write_file([part.path], one, place, chosen.promise) for one in Format})


# ---- the jobs' tests ------------------------------------------------------------------------------------------------


def settle(folder: Path, rows: int = 200) -> None:
    """Fill the database with the people, the dataset and one version of it, at NOW."""
    with db.writing() as session:
        granted.settle(session)
        granted.publish(session, granted.records(rows), folder)
        clock.set_shift(NOW - clock.database_now(session))


def view_of(grant: Grant, number: int | None = None) -> ReleasedView | None:
    with db.reading() as session:
        return store.view_of(session, grant.id, number)


def parts_of(view: ReleasedView) -> list[ViewPart]:
    with db.reading() as session:
        return list(store.parts_of(session, view.id))


def files_of(view: ReleasedView) -> dict[str, ViewFile]:
    with db.reading() as session:
        return store.files_of(session, view.id)


def all_views() -> list[ReleasedView]:
    with db.reading() as session:
        return list(session.exec(db.select(ReleasedView)))


def later(minutes: float) -> None:
    with db.reading() as session:
        clock.set_shift(clock.now(session) + timedelta(minutes=minutes) - clock.database_now(session))
