"""Judging requests and versions, keeping what was judged, and publishing the lists' editions."""

from service.screening.actions.judging import (
    Standing,
    column_verdicts,
    keep,
    preview,
    publish_editions,
    screen,
    standing,
    usual_route,
)

__all__ = [
    "Standing", "column_verdicts", "keep", "preview", "publish_editions", "screen", "standing", "usual_route",
]  # fmt: skip
