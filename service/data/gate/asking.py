"""What a request says about itself, and what the gate gives to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from service.catalogue.tables import Dataset
from service.data.rules.quota import Left, Quota
from service.grants.tables import Grant, ReleasedView, ViewFile, ViewPart


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person with a live session; `at_home` when the browser says that the request comes from our own pages."""

    person_id: str
    unit_id: str
    session_id: str
    at_home: bool


@dataclass(slots=True)
class Known:
    """What the gate has learnt about who asks, for whoever has to tell why it said no, and what is left of limits."""

    client_id: str | None = None
    grant_id: str | None = None
    left: Left | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a data request says about itself.  `delivery` is how the bytes go out: rows (api) or a file (download).

    `version` names a version of the dataset, `as_of` the newest one up to that number; `link` is the signed part of an
    address as it came, which must be for `name`, and `key` opens it.
    """

    dataset_id: str
    authorization: str | None
    grant_id: str | None
    delivery: str
    version: int | None = None
    as_of: int | None = None
    name: str = ""
    format: str = ""
    link: str | None = None
    key: bytes = field(default=b"", repr=False)
    visitor: Visitor | None = None
    network: str | None = None
    known: Known = field(default_factory=Known, compare=False)


@dataclass(frozen=True, slots=True)
class Admitted:
    """Leave to read one view now.  `grant` and who reads are None for public data.

    `parts` are the view's Parquet objects in order, `files` what it can be had as at once, by format.
    """

    dataset: Dataset
    view: ReleasedView
    grant: Grant | None
    client_id: str | None
    known_columns: tuple[str, ...]
    parts: Sequence[ViewPart] = ()
    files: dict[str, ViewFile] = field(default_factory=dict)
    quota: Quota = field(default_factory=Quota)
    person_id: str | None = None
    credential: str | None = None
    holder: str = field(default="", repr=False)
    network: str | None = None
    at: datetime | None = None

    @property
    def binding(self) -> str:
        """What a cursor holds for: this view as it was made, this grant, this epoch.

        A view that rows were recalled from is made anew under its id, with its rows in other places.
        """
        grant = f"{self.grant.id}.{self.grant.epoch}" if self.grant else "public"
        return f"{self.view.id}@{self.view.claimed_at.timestamp()}|{grant}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the view, in its order."""
        return tuple(column["name"] for column in self.view.columns)

    def answer(self, face: str) -> dict[str, str | None]:
        """Return what a row of usage says about who read what by which way."""
        return {
            "dataset_id": self.dataset.id, "grant_id": self.grant.id if self.grant else None,
            "client_id": self.client_id, "person_id": self.person_id, "view_id": self.view.id, "face": face,
            "credential": self.credential, "network": self.network,
        }  # fmt: skip
