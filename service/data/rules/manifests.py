"""What a program is told about a view: its parts, files and columns, and what changed between two of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol


class Part(Protocol):
    """What a part of a view is told by."""

    sha256: str
    rows: int
    bytes: int


def part_document(number: int, part: Part, *, url: str, period: tuple[str | None, str | None]) -> dict[str, Any]:
    """Return a part as manifest.json has it; `number` counts from 1."""
    return {
        "number": number, "sha256": part.sha256, "rows": part.rows, "bytes": part.bytes,
        "period": {"from": period[0], "to": period[1]}, "url": url,
    }  # fmt: skip


def part_changes(before: Sequence[Part], after: Sequence[Part]) -> tuple[list[int], list[int]]:
    """Return the numbers (from 1) of the parts that `after` has and `before` had not, and the other way round.

    A part is told by its bytes: the same bytes are the same part, wherever they stand.  Of equal ones each counts once.
    """
    return _missing(after, before), _missing(before, after)


def _missing(parts: Sequence[Part], among: Iterable[Part]) -> list[int]:
    left: dict[str, int] = {}
    for part in among:
        left[part.sha256] = left.get(part.sha256, 0) + 1
    missing = []
    for number, part in enumerate(parts, 1):
        if left.get(part.sha256, 0):
            left[part.sha256] -= 1
        else:
            missing.append(number)
    return missing


def column_changes(before: Iterable[Mapping[str, str]], after: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return what became of the columns of a view: added, removed, retyped; nothing of columns that it never had."""
    old = {column["name"]: column["type"] for column in before}
    new = {column["name"]: column["type"] for column in after}
    added = [{"kind": "added", "column": name, "to": kind} for name, kind in new.items() if name not in old]
    removed = [{"kind": "removed", "column": name, "from": kind} for name, kind in old.items() if name not in new]
    retyped = [
        {"kind": "retyped", "column": name, "from": old[name], "to": kind}
        for name, kind in new.items()
        if name in old and old[name] != kind
    ]
    return added + removed + retyped
