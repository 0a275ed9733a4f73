"""Reading a manifest file: strict YAML, faults named by file, line and column in the reader's language."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from service.base.errors import Invalid
from service.base.forms import explain
from service.base.i18n import N_, gettext
from service.policy.engine.reading import PolicyError, Source
from service.policy.engine.reading import read as read_yaml

M = TypeVar("M", bound=BaseModel)
NOT_A_MAP = N_("应为键值对象")


def read(file: Path, model: type[M]) -> M:
    """Return the manifest in `file`; Invalid with every fault, its field prefixed by file:line:column."""
    try:
        source = read_yaml(file, shown=file.name)
    except PolicyError as fault:
        found = [(f"{one.file}:{one.line}:{one.column}", one.message) for one in fault.faults]
        raise Invalid(errors=[{"field": field, "message": message} for field, message in found]) from None
    if not isinstance(source.data, dict):
        raise Invalid(errors=[{"field": f"{file.name}:1:1", "message": gettext(NOT_A_MAP)}])
    try:
        return model.model_validate(source.data)
    except ValidationError as fault:
        raise Invalid(errors=_placed(source, fault)) from None


def _placed(source: Source, fault: ValidationError) -> list[dict[str, str]]:
    placed = []
    for error, told in zip(fault.errors(), explain(fault), strict=True):
        at = source.fault(tuple(error["loc"]), "")
        place = f"{at.file}:{at.line}:{at.column}"
        placed.append({"field": f"{place}: {told['field']}" if told["field"] else place, "message": told["message"]})
    return placed
