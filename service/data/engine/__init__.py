"""Reading released views with DuckDB and Arrow: no Flask, no session."""

from service.data.engine.rows import rows

__all__ = ["rows"]
