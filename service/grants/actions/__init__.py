"""What may happen to grants and their views: one change and its audit event each; no commit, no Flask."""

from service.grants.actions.issuing import NewGrant, issue, recipe_for, recipe_of
from service.grants.actions.parts import overseen
from service.grants.actions.stopping import confirm_suspension, flag, hand_back, lift, remind, standing_of, suspend
from service.grants.actions.views import (
    Claimed,
    Source,
    Wanted,
    claim_file,
    claim_grant_view,
    claim_public_view,
    cuts_of,
    keep_part,
    move_to,
    note_failed_build,
    note_failed_file,
    settle_file,
    settle_quarantined,
    settle_ready,
    want_file,
)

__all__ = [
    "Claimed", "NewGrant", "Source", "Wanted", "claim_file", "claim_grant_view", "claim_public_view",
    "confirm_suspension", "cuts_of", "flag", "hand_back", "issue", "keep_part", "lift", "move_to", "note_failed_build",
    "note_failed_file", "overseen", "recipe_for", "recipe_of", "remind", "settle_file", "settle_quarantined",
    "settle_ready", "standing_of", "suspend", "want_file",
]  # fmt: skip
