"""What changed from one version to the next, in words."""

from collections.abc import Mapping
from typing import Any

from service.base.i18n import N_
from service.catalogue.rules import TYPE_TITLES, ColumnType
from service.catalogue.rules.versions import ChangeKind

ADDED = N_("新增字段 %(column)s")
REMOVED = N_("删去字段 %(column)s")
RETYPED = N_("字段 %(column)s 的类型由%(before)s改为%(after)s")
RENAMED = N_("字段 %(before)s 改名为 %(after)s")
CLASSIFIED = N_("字段 %(column)s 的含义明确为 %(after)s")
MEANT_ANEW = N_("字段 %(column)s 的含义由 %(before)s 改为 %(after)s")
GRADED = N_("字段 %(column)s 定为 %(after)s")
UNGRADED = N_("字段 %(column)s 不再定级，原为 %(before)s")
UNCLASSIFIED = N_("字段 %(column)s 的含义不再明确，原为 %(before)s")
REGRADED = N_("字段 %(column)s 的级别由 %(before)s 改为 %(after)s")


def said(change: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return a change as a message with its blanks; one that is a message itself (a type's name) is to be said too."""
    kind, before, after = change["kind"], change["from"], change["to"]
    blanks = {"column": str(change["column"]), "before": str(before), "after": str(after)}
    if kind == ChangeKind.RETYPED:
        return RETYPED, blanks | {"before": TYPE_TITLES[ColumnType(before)], "after": TYPE_TITLES[ColumnType(after)]}
    if kind == ChangeKind.RECLASSIFIED:
        graded = _is_level(before) or _is_level(after)
        if before is None:
            return (GRADED if graded else CLASSIFIED), blanks
        if after is None:
            return (UNGRADED if graded else UNCLASSIFIED), blanks
        return (REGRADED if graded else MEANT_ANEW), blanks
    return {ChangeKind.ADDED: ADDED, ChangeKind.REMOVED: REMOVED, ChangeKind.RENAMED: RENAMED}[ChangeKind(kind)], blanks


def _is_level(value: str | None) -> bool:
    """Whether a value is a level; a semantic type is all lower case."""
    return value is not None and value.startswith("L")
