"""What programs send to the data plane."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class LinkForm(BaseModel):
    """How long a signed address is to live, in seconds; never longer than an hour or than the grant."""

    model_config = ConfigDict(extra="forbid")

    expires_in: int = Field(default=3600, ge=60, le=3600, description="seconds, 60 to 3600")


class AggregateForm(BaseModel):
    """Numbers of rows by the values of columns."""

    model_config = ConfigDict(extra="forbid")

    group: list[Any] = Field(default=[], description="columns, at most 8; one cell for all rows when empty")
    measures: list[Any] | None = Field(
        default=None,
        description='{"function": count, sum, avg, min, max or quantile, "column", "q"}; rows are counted when absent',
    )
    filter: Any = Field(default=None, description="as for rows")
    where: list[str] = Field(default=[], max_length=1000, description="column:op:value each; all must hold")


class RowsForm(BaseModel):
    """A query for rows, as GET has it in its address."""

    model_config = ConfigDict(extra="forbid")

    select: str | list[str] | None = Field(default=None, description="columns, in a list or parted by commas")
    filter: Any = Field(
        default=None, description='{"column", "op", "value"}, {"and": [filter, …]} or {"or": [filter, …]}'
    )
    where: list[str] = Field(default=[], max_length=1000, description="column:op:value each; all must hold")
    order: str | list[str] | None = Field(default=None, description="columns; a minus in front sorts downwards")
    limit: int | None = Field(default=None, description="rows; a page has 100 when absent, an export all")
    cursor: str | None = Field(default=None, description="`next` of the page before")
    count: bool = Field(default=False, description="whether to count the rows found, up to 10000")
    format: str | None = Field(default=None, description="json, jsonl, csv, arrow or parquet")
