"""SQL of the data plane."""

from service.data.store.cells import cells_told, new_cells, tell_cells
from service.data.store.flags import (
    flag,
    flags_of_dataset,
    know_network,
    networks_since,
    other_networks,
    sizes_before,
    used_on,
)
from service.data.store.reservations import charged_on, enlarge, keep, lapsed, lock_grant, release, reserve
from service.data.store.usage import (
    Usage,
    dataset_by_day,
    dataset_by_face,
    dataset_by_grant,
    last_uses,
    note_usage,
    totals_of_grant,
    usage_by_day,
    usage_of_grant,
    usage_since,
)

__all__ = [
    "Usage", "cells_told", "charged_on", "dataset_by_day", "dataset_by_face", "dataset_by_grant", "enlarge", "flag",
    "flags_of_dataset", "keep", "know_network", "lapsed", "last_uses", "lock_grant", "networks_since", "new_cells",
    "note_usage", "other_networks", "release", "reserve", "sizes_before", "tell_cells", "totals_of_grant",
    "usage_by_day", "usage_of_grant", "usage_since", "used_on",
]  # fmt: skip
