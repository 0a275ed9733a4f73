"""Forms of pages that join several nouns."""

from typing import Annotated

from pydantic import StringConstraints

from service.base.forms import Form
from service.catalogue.rules.recalls import Reason


class RecallForm(Form):
    """Which rows are recalled and why; `values` has one a line."""

    reason: Reason
    column: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    values: Annotated[str, StringConstraints(min_length=1, max_length=250_000)]
    note: Annotated[str, StringConstraints(min_length=2, max_length=500)]


class AnswerForm(Form):
    """Whether a unit deleted what it fetched under a grant, or never fetched it."""

    grant: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    deleted: bool
