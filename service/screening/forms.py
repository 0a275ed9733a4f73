"""The body of a request to screen."""

from typing import Annotated

from pydantic import Field, StringConstraints

from service.base.forms import Form

Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class ScreeningForm(Form):
    """What is to be judged; whatever is left out is unknown, and unknown is never harmless."""

    dataset: Name
    columns: Annotated[list[Name], Field(min_length=1, max_length=500)]
    filter_columns: Annotated[list[Name], Field(max_length=10)] = Field(default_factory=list)
    purpose: Annotated[str, StringConstraints(max_length=60)] | None = None
    statement: Annotated[str, StringConstraints(max_length=2000)] | None = None
    delivery: Annotated[str, StringConstraints(max_length=20)] | None = None
    retention_days: Annotated[int, Field(ge=0, le=3650)] | None = None
    cross_border: bool | None = None
    onward_sharing: bool | None = None
    incidents: bool | None = None
