"""Forms and bodies of a grant's suspension."""

from typing import Annotated

from pydantic import StringConstraints

from service.base.forms import Form

Reason = Annotated[str, StringConstraints(min_length=2, max_length=500)]


class SuspensionForm(Form):
    """Why a grant is stopped: told to the unit as it stands."""

    cause: Reason


class LiftingForm(Form):
    """Why a suspension ends."""

    reason: Reason | None = None
