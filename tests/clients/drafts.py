"""Requests that a firm's program may submit, over HTTP."""

from itertools import combinations
from typing import Any

from tests.visiting import Visitor

DATASET = "parking-records"
COLUMNS = ("lot_id", "entry_time", "exit_time", "duration_min", "vehicle_type")
# No two of a firm's open requests may ask for the same columns of one dataset.
CHOICES = [list(chosen) for size in (2, 3, 4) for chosen in combinations(COLUMNS, size)]
DRAFT: dict[str, Any] = {
    "purpose": "analytics.operations", "statement": "分析停车场分时段周转率。", "delivery": "download",
    "cross_border": "no", "onward_sharing": "no", "security_officer": "演示管理员", "mlps": "mlps3",
    "storage": "杭州市（境内）", "incidents": "no", "members": "演示申请人",
}  # fmt: skip


def make_draft(visitor: Visitor, columns: list[str], **changes: Any) -> str:
    """Make a complete draft; return its id."""
    made = visitor.post("/api/v1/applications", body={"dataset": DATASET, **DRAFT, "columns": columns, **changes})
    assert made.status == 201, made.body.decode()
    return str(made.json["id"])
