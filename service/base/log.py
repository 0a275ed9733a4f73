"""Logs: one JSON object a line on stderr, with the request's id; secrets, ID numbers and phones are masked on the way.

Masking is the last net, not the rule: nobody logs such values on purpose.
"""

import json
import logging
import re
import sys
from contextvars import ContextVar
from typing import Any

from service.base.clock import system_now

request_id: ContextVar[str] = ContextVar("request_id", default="")

NAMES = "password|secret|token|client_secret|access_token"
MASKS = (
    (re.compile(r"\b(qt[a-z]{1,2}_)[A-Za-z0-9_-]{8,}"), r"\1***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}"), r"\1 ***"),
    (re.compile(rf"(?i)\b({NAMES})([\"']?\s*[=:]\s*[\"']?)[^\s\"'&,}}]+"), r"\1\2***"),
    (re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)"), "***"),
    (re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)"), "***"),
)


def mask(text: str) -> str:
    """Return `text` without secrets, resident identity numbers and mobile numbers."""
    for pattern, by in MASKS:
        text = pattern.sub(by, text)
    return text


def _masked(value: object, name: str = "") -> object:
    """Return a field masked, part by part: masked as one text, a line could lose a quote and be JSON no longer."""
    if isinstance(value, dict):
        return {str(key): _masked(part, str(key)) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(part) for part in value]
    if value is None or isinstance(value, bool | float):
        return value
    if re.fullmatch(NAMES, name, re.IGNORECASE):
        return "***"
    text = str(value)
    return value if isinstance(value, int) and mask(text) == text else mask(text)


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object: at, level, logger, request, message, and its extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": system_now().isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "request": request_id.get() or None,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(_masked(line), ensure_ascii=False)


def configure(level: str) -> None:
    """Send all loggers through JSON lines.  Authlib prints whole tokens at DEBUG, so its loggers stay at WARNING."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("authlib", "alembic", "apscheduler", "sqlalchemy.engine"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def info(logger: str, message: str, **fields: object) -> None:
    """Log one line with extra fields."""
    logging.getLogger(logger).info(message, extra={"fields": fields})


def error(logger: str, message: str, **fields: object) -> None:
    """Log one line about something that went wrong, with extra fields."""
    logging.getLogger(logger).error(message, extra={"fields": fields})
