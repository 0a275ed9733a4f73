"""Obligations of several rules become one set: the stricter of two wins.  Associative, commutative, idempotent."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import reduce

from service.policy.rules.facts import Facts
from service.policy.rules.models import (
    MODES,
    Attribution,
    CoarsenSpatial,
    CoarsenTime,
    Delay,
    Delivery,
    Destruction,
    DropColumns,
    MaxRetention,
    MinGroup,
    Obligation,
    Quota,
    Report,
)


def merge(obligations: Iterable[Obligation]) -> tuple[Obligation, ...]:
    """Return one obligation per kind (several for kinds that add up), sorted by kind and content."""
    kinds: dict[str, list[Obligation]] = {}
    for obligation in obligations:
        kinds.setdefault(obligation.kind, []).append(obligation)
    merged = [each for kind in sorted(kinds) for each in _of_one_kind(kinds[kind])]
    return tuple(sorted(merged, key=_order))


def _order(obligation: Obligation) -> tuple[str, str]:
    return obligation.kind, json.dumps(plain(obligation), ensure_ascii=False, sort_keys=True)


def plain(obligation: Obligation) -> dict[str, object]:
    """Return the obligation as the list would write it."""
    return obligation.model_dump(mode="json", exclude_none=True)


def _of_one_kind(same: Sequence[Obligation]) -> list[Obligation]:
    if (stricter := _PAIRS.get(type(same[0]))) is not None:
        return [reduce(stricter, same)]
    distinct = {_order(each): each for each in same}
    if isinstance(same[0], Attribution) and len(distinct) > 1:
        return [each for each in distinct.values() if isinstance(each, Attribution) and each.text]
    return list(distinct.values())


def _least(name: str) -> Callable[[Obligation, Obligation], Obligation]:
    return lambda one, other: min(one, other, key=lambda each: int(getattr(each, name)))


def _most(name: str) -> Callable[[Obligation, Obligation], Obligation]:
    return lambda one, other: max(one, other, key=lambda each: int(getattr(each, name)))


def _both_modes(one: Obligation, other: Obligation) -> Obligation:
    assert isinstance(one, Delivery)
    assert isinstance(other, Delivery)
    return Delivery(
        kind="delivery_only", modes=tuple(mode for mode in MODES if mode in one.modes and mode in other.modes)
    )


def _all_drops(one: Obligation, other: Obligation) -> Obligation:
    assert isinstance(one, DropColumns)
    assert isinstance(other, DropColumns)
    return DropColumns(kind="drop_columns", semantics=tuple(sorted({*one.semantics, *other.semantics})))


_PAIRS: dict[type, Callable[[Obligation, Obligation], Obligation]] = {
    MaxRetention: _least("days"),
    Quota: _least("rows_per_day"),
    Report: _least("every_days"),
    Destruction: _least("within_days"),
    MinGroup: _most("k"),
    CoarsenSpatial: _most("metres"),
    CoarsenTime: _most("minutes"),
    Delay: _most("minutes"),
    Delivery: _both_modes,
    DropColumns: _all_drops,
}


def below(word: str, ancestor: str) -> bool:
    """Return whether `word` is `ancestor` or lies below it."""
    return word == ancestor or word.startswith(f"{ancestor}.")


def clash(obligations: Iterable[Obligation], facts: Facts) -> tuple[bool | None, str]:
    """Return whether merged obligations leave nothing to grant, and which kind of clash it is.

    True when no delivery mode is left or every requested column must be dropped; None when that hangs on columns
    that are not known or not classified.
    """
    found: tuple[bool | None, str] = (False, "")
    for obligation in obligations:
        if isinstance(obligation, Delivery) and not obligation.modes:
            return True, "delivery_only"
        if isinstance(obligation, DropColumns) and (state := _drops_all(obligation, facts)) is not False:
            found = (state, "drop_columns")
    return found


def _drops_all(obligation: DropColumns, facts: Facts) -> bool | None:
    if facts.columns is None:
        return None
    semantics = [column.semantic for column in facts.columns]
    known = [semantic for semantic in semantics if semantic is not None]
    if not semantics or not all(is_dropped(semantic, obligation) for semantic in known):
        return False
    return True if len(known) == len(semantics) else None


def is_dropped(semantic: str, obligation: DropColumns) -> bool:
    return any(below(semantic, word) for word in obligation.semantics)
