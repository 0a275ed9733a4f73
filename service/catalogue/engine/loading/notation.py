"""JSON: an array of objects, or objects one after another (JSONL); read record by record.

Numbers stay the text that they are in the file, so that none loses a digit on its way into its column.
"""

import io
import json
from collections.abc import Iterator
from typing import Any, NoReturn

from service.base.i18n import N_
from service.catalogue.engine.loading.shapes import unfit

NOT_JSON = N_("第 %(row)s 条记录不是有效的 JSON（内容不予显示）")
NOT_AN_OBJECT = N_("第 %(row)s 条记录不是 JSON 对象（内容不予显示）")
LONG_RECORD = N_("第 %(row)s 条记录不完整，或超过 %(most)s 字")
TRAILING = N_("JSON 数组之后还有内容")
SPACE = " \t\r\n"
Record = dict[str, Any]


def _refuse(_word: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse)


class _Window:
    """A stretch of the text that is always longer than a record may be, until the text ends."""

    def __init__(self, text: io.TextIOWrapper, most: int) -> None:
        self.text, self.most = text, most
        self.held, self.at, self.ended = "", 0, False

    def fill(self) -> None:
        if self.ended or len(self.held) - self.at > self.most:
            return
        more = self.text.read(4 * self.most)
        self.ended = len(more) < 4 * self.most
        self.held, self.at = self.held[self.at :] + more, 0

    def next(self) -> str:
        """Return the next character that is not space, without taking it; "" at the end."""
        while True:
            self.fill()
            while self.at < len(self.held) and self.held[self.at] in SPACE:
                self.at += 1
            if self.at < len(self.held) or self.ended:
                self.fill()
                return self.held[self.at : self.at + 1]


def records(text: io.TextIOWrapper, most: int) -> Iterator[tuple[int, Record]]:
    """Yield (row, object) for each record, rows counted from 1; none may be longer than `most` characters.

    Raises Unfit with the row where the text stops being JSON: what follows cannot be told apart any more.
    """
    window = _Window(text, most)
    array = window.next() == "["
    window.at += array
    row = 0
    while (sign := window.next()) not in ("", "]"):
        row += 1
        if sign != "{":
            raise unfit(NOT_AN_OBJECT, row=row)
        yield row, _record(window, row)
        _separate(window, row, array=array)
    _end(window, row, array=array)


def _record(window: _Window, row: int) -> Record:
    try:
        value, end = DECODER.raw_decode(window.held, window.at)
    except RecursionError:
        raise unfit(NOT_JSON, row=row) from None
    except json.JSONDecodeError as fault:
        if fault.pos - window.at >= window.most or len(window.held) - fault.pos < 2 or _unterminated(fault):
            raise unfit(LONG_RECORD, row=row, most=window.most) from None
        raise unfit(NOT_JSON, row=row) from None
    except ValueError:
        raise unfit(NOT_JSON, row=row) from None
    if end - window.at > window.most:
        raise unfit(LONG_RECORD, row=row, most=window.most)
    window.at = end
    return value  # type: ignore[no-any-return]


def _unterminated(fault: json.JSONDecodeError) -> bool:
    return fault.msg.startswith("Unterminated")


def _separate(window: _Window, row: int, *, array: bool) -> None:
    """Step over what stands between two records: a comma in an array, nothing but space elsewhere."""
    sign = window.next()
    if not array:
        return
    if sign == ",":
        window.at += 1
        if window.next() != "{":
            raise unfit(NOT_AN_OBJECT, row=row + 1)
    elif sign != "]":
        raise unfit(NOT_JSON if sign else LONG_RECORD, row=row + 1, most=window.most)


def _end(window: _Window, row: int, *, array: bool) -> None:
    sign = window.next()
    if array and sign != "]":
        raise unfit(LONG_RECORD, row=row + 1, most=window.most)
    if not array and sign:
        raise unfit(NOT_AN_OBJECT, row=row + 1)
    if array:
        window.at += 1
        if window.next():
            raise unfit(TRAILING)


def as_text(value: object) -> str | None:
    """Return a JSON value as the text that its column's type is read from; lists and objects stay JSON."""
    if value is None:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)
