"""The data plane's faces: a page of rows, whole files with ranges.  Each asks the one gate first."""

from service.data.api import aggregate, files, links, manifests, mine, rows
from service.data.api.parts import api
from service.data.api.parts import mine as mine_api

__all__ = ["aggregate", "api", "files", "links", "manifests", "mine", "mine_api", "rows"]
