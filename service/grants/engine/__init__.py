"""Making, writing and measuring the bytes of released views (DuckDB, Arrow).  No session, no clock."""

from service.catalogue.engine.closed import sha256
from service.grants.engine.building import ROW_GROUP, BuiltFile, cut_part
from service.grants.engine.comparing import compare
from service.grants.engine.jobs import Compare, Cut, Made, Side, Smallest, Write
from service.grants.engine.measuring import footer, measure_file, measure_part
from service.grants.engine.treating import Keys
from service.grants.engine.worker import Failed, do, measured
from service.grants.engine.writing import write_file

__all__ = [
    "Compare", "BuiltFile", "Cut", "Failed", "Keys", "Made", "ROW_GROUP", "Side", "Smallest", "Write", "compare",
    "cut_part", "do", "footer", "measure_file", "measure_part", "measured", "sha256", "write_file",
]  # fmt: skip
