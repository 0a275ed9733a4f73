"""A table in which every value that must not leave can be told from every other byte, and the looking for them.

What may leave reads `in-…` or is a small number.  Everything else (hidden columns, rows that were filtered out, rows of
a version that was not judged) is a text with a word of MARKS in it, or a number whose bytes begin with four of ours.
"""

import io
import random
import struct
from collections.abc import Iterator
from datetime import datetime, timedelta

import pyarrow as pa

DATASET = "night-trips"
ROWS = 1500  # of a part
GRANTED = ("lot", "minutes", "entered", "kind", "ratio")
# name: type, what it is called in a list, level
COLUMNS = {
    "lot": ("string", None, 2), "minutes": ("integer", None, 2),
    "entered": ("datetime", "time.event", 2), "kind": ("string", None, 2), "ratio": ("number", None, 2),
    "hidden_plate": ("string", "vehicle.plate", 3), "hidden_owner": ("integer", "vehicle.owner.id", 3),
    "hidden_amount": ("number", None, 3), "hidden_born": ("datetime", None, 3), "hidden_area": ("string", None, 2),
    "hidden_serial": ("string", None, 3),
}  # fmt: skip
HIDDEN = tuple(name for name in COLUMNS if name not in GRANTED)
FILTER = {"from": "2026-03-01", "to": "2026-03-20", "areas": ["cell-near-1", "cell-near-2"]}

OWNER, OUTSIDE, NEXT = (0x5AC0DE5A00000000 + (n << 40) for n in range(3))  # first numbers of whole ranges
AMOUNT = 0x42C0DEC0DE000000  # the bits of the first hidden fraction
MARKS = (b"hidden_", b"plate-", b"cell-near", b"cell-far", b"serial-", b"out-lot", b"out-kind", b"next-lot",
         b"next-kind", b"1888-08", b"1999-0", b"rival-")  # fmt: skip
BITS = (b"\x5a\xde\xc0\x5a", b"\xde\xc0\xde\xc0\x42")  # as they lie in memory, little end first
DIGITS = (
    *(str(first)[:8].encode() for first in (OWNER, OUTSIDE, NEXT)),
    f"{struct.unpack('<d', AMOUNT.to_bytes(8, 'little'))[0]:.0f}"[:8].encode(),
)
ZSTD = b"\x28\xb5\x2f\xfd"


def table(seed: int, *, mark: str = "in", first: int = 0) -> pa.Table:
    """Return one part: a third of its rows is granted; `mark` is what those of a later version are called by."""
    chance = random.Random(seed)
    rows = [_row(chance, mark, first + number) for number in range(ROWS)]
    chance.shuffle(rows)
    kinds = {"string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "datetime": pa.timestamp("us")}
    schema = pa.schema([(name, kinds[column[0]]) for name, column in COLUMNS.items()])
    return pa.table({name: [row[name] for row in rows] for name in COLUMNS}, schema=schema)


def _row(chance: random.Random, mark: str, number: int) -> dict[str, object]:
    near, within = number % 2 == 0, number % 3 != 0
    told = mark if near and within else "out"
    day = datetime(2026, 3, 1) if within else datetime(1999, 1, 1)  # noqa: DTZ001 - local time, as the column has it
    firsts = {"in": chance.randrange(1, 500), "out": OUTSIDE + number, "next": NEXT + number}
    return {
        "lot": f"{told}-lot-{number:06}", "minutes": chance.choice([None, firsts[told]]),
        "entered": day + timedelta(minutes=chance.randrange(20 * 1440)) if chance.random() > 0.1 or near else None,
        "kind": chance.choice([None, f"{told}-kind-{number % 7}"]), "ratio": chance.choice([None, number / 8]),
        "hidden_plate": f"plate-{chance.randrange(10**9):09}", "hidden_owner": OWNER + number,
        "hidden_amount": struct.unpack("<d", (AMOUNT + number).to_bytes(8, "little"))[0],
        "hidden_born": datetime(1888, 8, 1) + timedelta(seconds=number),  # noqa: DTZ001
        "hidden_area": chance.choice(["cell-near-1", "cell-near-2"]) if near else "cell-far-3",
        "hidden_serial": f"serial-{number:06}",
    }  # fmt: skip


# ---- looking --------------------------------------------------------------------------------------------------------


def leaks(data: bytes) -> list[bytes]:
    """Return what of all that must not leave stands in some bytes, as they are or packed in them."""
    return sorted({mark for piece in layers(data) for mark in (*MARKS, *BITS, *DIGITS) if mark in piece})


def layers(data: bytes) -> Iterator[bytes]:
    """Yield the bytes, and what is packed in them: every page of a Parquet file, the text of a packed CSV."""
    yield data
    place = data.find(ZSTD)
    while place >= 0:
        yield _unpacked(data[place:])
        place = data.find(ZSTD, place + 1)


def _unpacked(data: bytes) -> bytes:
    """Return what a frame at the beginning of `data` holds; what follows it is no frame and ends the reading."""
    found = bytearray()
    try:
        with pa.CompressedInputStream(io.BytesIO(data), "zstd") as stream:
            while piece := stream.read(4096):
                found += piece
    except (OSError, pa.ArrowException):
        pass
    return bytes(found)
