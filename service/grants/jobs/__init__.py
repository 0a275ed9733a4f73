"""Work on grants that nobody waits for: building views and their files, reminding, flagging."""

from service.grants.jobs.building import build, build_grant_view, build_missing, build_public_view
from service.grants.jobs.collecting import collect
from service.grants.jobs.filing import make_file, make_wanted
from service.grants.jobs.moving import move_ready
from service.grants.jobs.recalling_parts import recall_parts
from service.grants.jobs.recalling_views import recall_views
from service.grants.jobs.reminding import flag_unconfirmed_suspensions, remind_of_expiry

__all__ = [
    "build", "build_grant_view", "build_missing", "build_public_view", "collect", "flag_unconfirmed_suspensions",
    "make_file", "make_wanted", "move_ready", "recall_parts", "recall_views", "remind_of_expiry",
]  # fmt: skip
