"""Pure rules of the data plane."""

from service.data.rules.advice import ADVICE, OTHERWISE, TOKEN_TITLES
from service.data.rules.files import FILES, FORMATS, ByteRange, Format, byte_ranges, format_of
from service.data.rules.refusals import (
    BadParameter,
    ColumnNotGranted,
    CursorExpired,
    PreconditionFailed,
    RangeOutside,
    TooManyRanges,
    UnknownColumn,
    ViewMissing,
)
from service.data.rules.rows import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    SELECT_CHANGED,
    Page,
    limit_of,
    open_cursor,
    seal_cursor,
    selected,
)

__all__ = [
    "ADVICE", "DEFAULT_LIMIT", "FILES", "FORMATS", "MAX_LIMIT", "OTHERWISE", "SELECT_CHANGED", "TOKEN_TITLES",
    "BadParameter", "ByteRange", "ColumnNotGranted", "CursorExpired", "Format", "Page",
    "PreconditionFailed", "RangeOutside", "TooManyRanges", "UnknownColumn", "ViewMissing",
    "byte_ranges", "format_of", "limit_of", "open_cursor", "seal_cursor", "selected",
]  # fmt: skip
