"""What a web worker asks of a child of its, and how the answer is framed."""

import struct
from dataclasses import dataclass
from typing import Any

HEAD = struct.Struct("!cIQ")  # kind of frame, rows in it, length in bytes


@dataclass(frozen=True, slots=True)
class Job:
    """One statement, how its rows go out (csv, jsonl, arrow, parquet), and what it may use."""

    text: str
    values: dict[str, Any]
    files: tuple[str, ...]
    kind: str
    folder: str
    memory: str = "100MB"
    cpu_seconds: int = 600
    setup: tuple[str, ...] = ()
    holding: bool = False  # whether nothing goes out before the first rows are there
