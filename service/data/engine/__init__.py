"""Reading released views with DuckDB and Arrow: no Flask, no session."""

from service.data.engine.aggregating import Cells, aggregate, count_cells
from service.data.engine.compiling import Part
from service.data.engine.paging import counted, export, read_page
from service.data.engine.pool import EngineBroken, warm
from service.data.engine.rows import rows

__all__ = [
    "Cells",
    "EngineBroken",
    "Part",
    "aggregate",
    "count_cells",
    "counted",
    "export",
    "read_page",
    "rows",
    "warm",
]
