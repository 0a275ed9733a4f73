"""Work of the judge that nobody waits for, and publishing: judged, its public view built, then shown."""

from service.screening.jobs.following import judge_versions
from service.screening.jobs.publishing import (
    AT_TERMINAL,
    Published,
    Shift,
    Wrong,
    impact,
    profile_dataset,
    profile_missing,
    publish_dataset,
    replay,
)

__all__ = [
    "AT_TERMINAL", "Published", "Shift", "Wrong", "impact", "judge_versions", "profile_dataset", "profile_missing",
    "publish_dataset", "replay",
]  # fmt: skip
