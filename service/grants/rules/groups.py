"""Which groups of rows a view lets out, and what of two views can be held against each other."""

from collections.abc import Iterable, Sequence

from service.grants.rules.transforms import Aggregate, OfRows, Suppress, Token, Transform
from service.grants.rules.views import Recipe

AGAIN = "again"  # the state of a held version of a grant that a person wants judged once more


def released(steps: Iterable[Transform]) -> tuple[tuple[str, ...], int] | None:
    """Return (columns, k) where only groups of at least k rows with the same values in `columns` go out, as rows or as
    cells; None where every row does.
    """
    for step in steps:
        if isinstance(step, Suppress):
            return step.columns, step.k
        if isinstance(step, Aggregate):
            return step.by, step.k
    return None


def shared(one: Recipe, other: Recipe) -> tuple[str, ...]:
    """Return the columns that two views have in common as values that can be compared, in the order of `one`.

    The steps on a column must be the same; one that both have as tokens of their own namespaces is not shared.
    """
    done, others = _steps(one), _steps(other)
    tokens = {name for name, step in done.items() if isinstance(step, Token)}
    apart = tokens if one.namespace != other.namespace else set()
    return tuple(
        name
        for name in one.columns
        if name in other.columns and done.get(name) == others.get(name) and name not in apart
    )


def same_rows(one: Recipe, other: Recipe) -> bool:
    """Whether two recipes keep the same rows of a version."""
    return _rows(one) == _rows(other)


def _steps(recipe: Recipe) -> dict[str, Transform]:
    return {step.column: step for step in recipe.transforms if not isinstance(step, OfRows)}


def _rows(recipe: Recipe) -> tuple[object, ...]:
    period = (recipe.time_column, recipe.since, recipe.until) if recipe.since or recipe.until else None
    areas = (recipe.area_column, frozenset(recipe.areas)) if recipe.areas else None
    return period, areas, released(recipe.transforms), _treated(recipe)


def _treated(recipe: Recipe) -> tuple[object, ...]:
    """Return the steps on the columns that decide which groups are too small."""
    step = released(recipe.transforms)
    steps: dict[str, Transform] = _steps(recipe)
    columns: Sequence[str] = step[0] if step else ()
    return tuple((name, steps.get(name)) for name in sorted(columns) if not isinstance(steps.get(name), Token))
