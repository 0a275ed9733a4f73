"""Pure rules of grants: when one is live and what a dead one says, who may stop it, what a released view holds."""

from service.grants.rules.detectors import SUSPECT, detected, judged_as
from service.grants.rules.refusals import (
    GrantEnded,
    GrantNotStarted,
    GrantReturned,
    GrantSuspended,
    NotEnforceable,
    ViewBuilding,
    ViewHeld,
    WrongDelivery,
)
from service.grants.rules.standing import (
    REMIND_AT,
    SEE_ALL,
    GrantStanding,
    confirmation_due,
    may_hand_back,
    may_oversee,
    may_see,
    refusal,
    standing,
    windows,
)
from service.grants.rules.transforms import BadTransform, Transform
from service.grants.rules.views import (
    AT_ONCE,
    DELIVERIES,
    RETAKE_AFTER,
    TOLD_AFTER,
    BadRecipe,
    Described,
    FileState,
    Format,
    Promise,
    Recipe,
    VersionState,
    ViewState,
    fault_words,
    recipe,
    unenforceable,
)

__all__ = [
    "AT_ONCE", "BadRecipe", "BadTransform", "DELIVERIES", "Described", "FileState", "Format", "GrantEnded",
    "GrantNotStarted", "GrantReturned", "GrantStanding", "GrantSuspended", "NotEnforceable", "Promise", "REMIND_AT",
    "RETAKE_AFTER", "Recipe", "SEE_ALL", "SUSPECT", "TOLD_AFTER", "Transform", "VersionState", "ViewBuilding",
    "ViewHeld", "ViewState", "WrongDelivery", "confirmation_due", "detected", "fault_words", "judged_as",
    "may_hand_back", "may_oversee", "may_see", "recipe", "refusal", "standing", "unenforceable", "windows",
]  # fmt: skip
