"""Strict YAML 1.2: one document of plain values, each with its place in the file.

Refused, because a reader of the file would not see what they do: duplicate keys, anchors and aliases, tags, merge
keys, several documents, values that are not JSON.  Dates stay texts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from service.policy.rules.models import Model

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NUMBER = 2**53 - 1  # what canonical JSON can carry exactly
MAX_DIGITS = 30

Path_ = tuple[str | int, ...]
M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong in a policy file; prints as `file:line:column: key.path: message`, `document` being the whole."""

    file: str
    line: int
    column: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.key or 'document'}: {self.message}"


class PolicyError(Exception):
    """Policies that cannot be used.  `faults` holds all of them; the process must not start."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = sorted(set(faults))
        super().__init__("\n".join(map(str, self.faults)))


@dataclass(frozen=True, slots=True)
class Source:
    """A file's plain data and where each key of it stands (line and column from 1)."""

    file: str
    data: Any
    places: dict[Path_, tuple[int, int]] = field(repr=False)

    def fault(self, path: Path_, message: str) -> Fault:
        """Return the fault at `path`, or at its nearest enclosing key that is in the file."""
        at = path
        while at and at not in self.places:
            at = at[:-1]
        line, column = self.places.get(at, (1, 1))
        return Fault(self.file, line, column, ".".join(map(str, path)), message)


def read(path: Path, *, shown: str | None = None) -> Source:
    """Return a policy file's data.  Raises PolicyError."""
    file = shown or str(path)
    try:
        raw = path.read_bytes()
    except OSError as fault:
        raise PolicyError([Fault(file, 1, 1, "", f"无法读取 / cannot be read: {fault.strerror}")]) from None
    return parse(raw, file)


@lru_cache(maxsize=64)
def parse(raw: bytes, file: str) -> Source:
    """Return the data of one strict YAML document, which nobody may change.  Raises PolicyError.

    Kept by content: a check reads each file for itself and for the whole folder.
    """
    if len(raw) > MAX_BYTES:
        raise PolicyError([Fault(file, 1, 1, "", f"文件超过 {MAX_BYTES} 字节 / larger than {MAX_BYTES} bytes")])
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise PolicyError([Fault(file, 1, 1, "", "不是 UTF-8 / not UTF-8")]) from None
    try:
        return _Builder(file).build(YAML(typ="safe").parse(text))
    except YAMLError:
        return _parse_purely(text, file)


def _parse_purely(text: str, file: str) -> Source:
    """Let the YAML 1.2 parser in Python decide.  The one in C is faster, but refuses texts such as 1:5000.

    "safe": reading for a round trip would leave a mark (U+0007) at every fold of a text.
    """
    try:
        return _Builder(file).build(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise PolicyError([Fault(file, line, column, "YAML", str(fault.problem or fault.context))]) from None
    except YAMLError as fault:
        first = str(fault).strip().splitlines()[0]
        raise PolicyError([Fault(file, 1, 1, "YAML", first)]) from None


class _Builder:
    """Builds plain values from parser events, one pass, noting places and refusing what is not plain."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[Path_, tuple[int, int]] = {}

    def build(self, events: Iterator[Any]) -> Source:
        data: Any = None
        documents = 0
        for event in events:
            if isinstance(event, StreamStartEvent | StreamEndEvent | DocumentEndEvent):
                continue
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(event, (), "只能有一个文档 / one document only")
                continue
            data = self._value(event, events, ())
        return Source(self.file, data, self.places)

    def _value(self, event: Any, events: Iterator[Any], path: Path_) -> Any:
        self.places.setdefault(path, _place(event))
        self._only_plain(event, path)
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, path)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(events, path)
        assert isinstance(event, ScalarEvent)
        return self._scalar(event, path)

    def _mapping(self, events: Iterator[Any], path: Path_) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                self._refuse(event, path, "键只能是文字 / a key must be a text")
            key = str(event.value)
            self._only_plain(event, (*path, key))
            if key in found:
                self._refuse(event, (*path, key), "键重复 / duplicate key")
            if key == "<<":
                self._refuse(event, (*path, key), "不接受合并键 / merge keys are not accepted")
            self.places[(*path, key)] = _place(event)
            found[key] = self._value(next(events), events, (*path, key))
        return found

    def _sequence(self, events: Iterator[Any], path: Path_) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            found.append(self._value(event, events, (*path, len(found))))
        return found

    def _scalar(self, event: ScalarEvent, path: Path_) -> Any:
        if event.style:
            return str(event.value)
        value = plain_scalar(str(event.value))
        if isinstance(value, int | float) and not abs(value) <= MAX_NUMBER:
            self._refuse(event, path, "数字超出范围 / number out of range")
        return value

    def _only_plain(self, event: Any, path: Path_) -> None:
        if isinstance(event, AliasEvent):
            self._refuse(event, path, "不接受别名 / aliases are not accepted")
        if isinstance(event, NodeEvent) and event.anchor is not None:
            self._refuse(event, path, "不接受锚点 / anchors are not accepted")
        if getattr(event, "tag", None) is not None:
            self._refuse(event, path, "不接受标签 / tags are not accepted")
        if len(path) > MAX_DEPTH:
            self._refuse(event, path, "嵌套过深 / nested too deeply")

    def _refuse(self, event: Any, path: Path_, message: str) -> None:
        line, column = _place(event)
        raise PolicyError([Fault(self.file, line, column, ".".join(map(str, path)), message)])


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def plain_scalar(text: str) -> bool | int | float | str | None:
    """Return an unquoted scalar by the core schema of YAML 1.2: `no` and `1:30` are texts, `010` is ten."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > MAX_DIGITS:
        return text
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if _FLOAT.fullmatch(text):
        return float(re.sub(r"\.(?=[a-zA-Z])", "", text))
    return text


def as_model(source: Source, model: type[M]) -> M:
    """Return a file's data as `model`.  Raises PolicyError with every fault, each at its place."""
    try:
        return model.of(source.data)
    except ValidationError as fault:
        faults = [_placed(source, dict(error), model) for error in fault.errors()]
        raise PolicyError(faults) from None


def _placed(source: Source, error: dict[str, Any], model: type[Model]) -> Fault:
    path = _path_in(source.data, tuple(error["loc"]))
    message = str(error["msg"])
    if error["type"] == "extra_forbidden" and (near := get_close_matches(str(path[-1]), _names(model), n=1)):
        message = f"{message}; did you mean {near[0]}?"
    return source.fault(path, message)


def _path_in(data: Any, loc: Path_) -> Path_:
    """Drop from pydantic's location what is not in the file (the branch of a union), but keep a missing last key."""
    path: list[str | int] = []
    for index, step in enumerate(loc):
        if _has(data, step):
            data = data[step]
        elif index < len(loc) - 1 or not isinstance(data, dict):
            continue
        path.append(step)
    return tuple(path)


def _has(data: Any, step: str | int) -> bool:
    if isinstance(data, list):
        return isinstance(step, int) and step < len(data)
    return isinstance(data, dict) and step in data


def _names(model: type[Model]) -> list[str]:
    """Return every key of `model` and of the models inside it, from its JSON Schema."""
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return sorted({name for part in parts for name in part.get("properties", {})})
