"""Making, writing and measuring the bytes of released views (DuckDB, Arrow).  No session, no clock."""

from service.grants.engine.building import ROW_GROUP, BuiltFile, cut_part
from service.grants.engine.jobs import Cut, Made, Write
from service.grants.engine.measuring import footer, measure_file, measure_groups, measure_part
from service.grants.engine.opening import sha256
from service.grants.engine.treating import Keys
from service.grants.engine.worker import Failed, do
from service.grants.engine.writing import write_file

__all__ = [
    "ROW_GROUP", "BuiltFile", "Cut", "Failed", "Keys", "Made", "Write", "cut_part", "do", "footer", "measure_file",
    "measure_groups", "measure_part", "sha256", "write_file",
]  # fmt: skip
