"""What the house tests read: files, messages, modules and views of this checkout."""

import ast
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

import service

ROOT = Path(__file__).resolve().parents[2]
LOCALE = ROOT / "service" / "locale" / "en"
SKIPPED = {".git", ".venv", ".venv-test", "var", "build", "dist", "node_modules", "__pycache__"}
HAN = re.compile(r"[\u3400-\u9fff]")
BLANK = re.compile(r"%\((\w+)\)[sd]")
KEYWORDS: dict[str, Any] = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}


@dataclass(frozen=True)
class Found:
    """A message and where it stands."""

    message: str
    place: str


def files() -> Iterator[Path]:
    """Yield every file of the checkout that is not somebody's environment, state or cache."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden_cache = any(part.endswith("_cache") or part in (".cache", ".hypothesis") for part in parts)
        if path.is_file() and not SKIPPED & set(parts) and not hidden_cache:
            yield path


def text_of(path: Path) -> str | None:
    """Return a file's text, None when it is no text (a table, a picture)."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """Yield every Python file of the service with its syntax tree."""
    for path in sorted((ROOT / "service").rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def templates() -> list[Path]:
    return sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in (".html", ".txt", ".xml"))


@cache
def messages() -> tuple[Found, ...]:
    """Return every message that the service and its templates say, as Babel finds them."""
    found: list[Found] = []
    for path in sorted((ROOT / "service").rglob("*.py")):
        found += _extract("python", path)
    for path in templates():
        found += _extract("jinja2.ext:babel_extract", path)
    return tuple(found)


def _extract(method: str, path: Path) -> Iterator[Found]:
    options = {"silent": "false", "trimmed": "false"} if method.startswith("jinja2") else None
    for line, message, _comments, _context in extract_from_file(method, path, keywords=KEYWORDS, options=options):
        place = f"{path.relative_to(ROOT)}:{line}"
        for text in message if isinstance(message, tuple) else (message,):
            if text:
                yield Found(str(text), place)


@cache
def translations() -> dict[str, list[tuple[str, str]]]:
    """Return the English side: message id -> [(file, text)], one entry for each .po file that has it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(LOCALE.glob("*.po")):
        with path.open("rb") as source:
            for entry in read_po(source, locale="en"):
                if entry.id:
                    found.setdefault(str(entry.id), []).append((path.name, str(entry.string)))
    return found


@cache
def modules() -> tuple[Any, ...]:
    """Import every module of the service (not the migrations) and return them."""
    names = [
        info.name
        for info in pkgutil.walk_packages(service.__path__, "service.")
        if not info.name.startswith("service.migrations") and not info.name.endswith("__main__")
    ]
    return tuple(import_module(name) for name in names)
