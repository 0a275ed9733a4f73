"""Forms and bodies of a grant's suspension and of its handing back."""

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


class HandbackForm(Form):
    """Why a unit gives its grant back, if it says so."""

    reason: Reason | None = None
