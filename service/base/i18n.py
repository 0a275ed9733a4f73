"""Two languages.  A message's id is its Chinese text; the English stands in `service/locale/en/*.po`, by slice or page.

The .po files are read directly (Babel's reader), so that there is nothing to compile and nothing stale in an install.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any, Literal

from babel.messages.pofile import read_po

from service.base.beijing import BEIJING

Language = Literal["zh", "en"]
TAGS = {"zh": "zh-CN", "en": "en"}
HAN = re.compile(r"[\u3400-\u9fff]")
_current: ContextVar[Language] = ContextVar("language", default="zh")


def N_(message: str) -> str:
    """Mark a message for translation where it is defined; it is translated where it is shown."""
    return message


def current() -> Language:
    return _current.get()


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Speak `language` inside the block: per request, per letter, per command."""
    token = _current.set(language)
    try:
        yield
    finally:
        _current.reset(token)


def speak(language: Language) -> None:
    """Set the language for the rest of this context (a request, a process)."""
    _current.set(language)


def gettext(message: str, /, **blanks: Any) -> str:
    """Return `message` in the current language with its %(name)s blanks filled; the Chinese where English lacks."""
    text = message if current() == "zh" else english().get(message, message)
    return text % blanks if blanks else text


def ngettext(singular: str, plural: str, n: int, /, **blanks: Any) -> str:
    """Return the message for `n`; Chinese has one form (`singular`), English two."""
    chosen = singular if n == 1 or current() == "zh" else plural
    return gettext(chosen, **{"num": n, "n": n, **blanks})


def pick(text: Any, /) -> str:
    """Return the side of a {"zh", "en"} text (dict or object) in the current language; Chinese where English lacks."""
    if isinstance(text, dict):
        return str(text.get(current()) or text["zh"])
    return str(getattr(text, current(), None) or text.zh)


def tongue(text: object, /) -> str:
    """Return the language tag of what somebody typed, for the element that shows it: Chinese where it has a Han."""
    return TAGS["zh" if HAN.search(str(text)) else "en"]


@cache
def english() -> dict[str, str]:
    """Return all English messages by their Chinese id."""
    messages: dict[str, str] = {}
    folder = resources.files("service") / "locale" / "en"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".po"):
            with file.open("rb") as source:
                catalogue = read_po(source, locale="en")
            messages |= {str(m.id): str(m.string) for m in catalogue if m.id and m.string}
    return messages


def negotiate(wanted: str | None, accept: list[str]) -> Language:
    """Return the language for a request: the reader's own choice first, then the browser's list, else Chinese.

    Matched on the primary subtag: Babel's own negotiation answers `en` to a list that begins with zh-CN.
    """
    for tag in [wanted or "", *accept]:
        primary = tag.split("-")[0].lower()
        if primary == "zh":
            return "zh"
        if primary == "en":
            return "en"
    return "zh"


def format_date(value: date | datetime) -> str:
    """Return a date as people write it, an instant as its Beijing date."""
    day = value.astimezone(BEIJING).date() if isinstance(value, datetime) else value
    if current() == "zh":
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def format_day(day: date) -> str:
    """Return a day without its year, for where the year is plain: 11月30日, 30 November."""
    return f"{day.month}月{day.day}日" if current() == "zh" else f"{day.day} {MONTHS[day.month - 1]}"


def weekday(day: date) -> str:
    """Return a day's name: 周一, Monday."""
    return f"周{'一二三四五六日'[day.weekday()]}" if current() == "zh" else WEEKDAYS[day.weekday()]


def format_time(value: datetime) -> str:
    """Return an instant as Beijing date and time to the minute."""
    at = value.astimezone(BEIJING)
    return f"{format_date(at)} {at:%H:%M}"


MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
