"""The data plane's faces: a page of rows, whole files with ranges.  Each asks the one gate first."""

from service.data.api import files, rows
from service.data.api.parts import api

__all__ = ["api", "files", "rows"]
