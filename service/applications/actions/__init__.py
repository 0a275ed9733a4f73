"""What may happen to an application: one act, its history and its audit event each; no commit, no Flask."""

from service.applications.actions.deciding import TermOver, Wish, decide, offer_agreement, sign
from service.applications.actions.drafting import (
    NoApplicationNeeded,
    NotOpen,
    create_draft,
    save_draft,
    submit,
    withdraw,
)
from service.applications.actions.reading import (
    agreement_of,
    ask_of,
    checked,
    describe,
    draft_ask,
    frame_of,
    prohibited_columns,
    snapshot_of,
    subject,
    visible,
)

__all__ = [
    "NoApplicationNeeded",
    "NotOpen",
    "TermOver",
    "Wish",
    "agreement_of",
    "ask_of",
    "checked",
    "create_draft",
    "decide",
    "describe",
    "draft_ask",
    "frame_of",
    "offer_agreement",
    "prohibited_columns",
    "save_draft",
    "sign",
    "snapshot_of",
    "subject",
    "submit",
    "visible",
    "withdraw",
]
