"""What the log's routes take."""

from pydantic import Field

from service.base.forms import Form


class EventsQuery(Form):
    """Which events: of one subject, or of all after one id."""

    subject: str | None = Field(default=None, max_length=128)
    after: str = Field(default="", max_length=26)
    limit: int = Field(default=100, ge=1, le=1000)


class ConsistencyQuery(Form):
    """Two sizes of the log; the newest size when `new` is not given."""

    old: int = Field(ge=0)
    new: int | None = Field(default=None, ge=0)
