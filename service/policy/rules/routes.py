"""Who decides, in which order and within how many working days: routes as data, frozen on the application."""

from collections.abc import Collection, Iterable
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any, Literal, Self

import rfc8785
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from service.policy.rules.models import Domain, Mode, Model, Outcome, Positive, Text


class ClockBasis(Model):
    """Why a clock has its length.  What is an analogy or an assumption is never shown as law."""

    text: Text
    kind: Literal["law", "rule", "analogy", "assumption"]


class Step(Model):
    """One decision.  `paused`: the case's total does not run while this step does, and the applicant is told."""

    role: Literal["steward", "authority"]
    name: Text
    working_days: Positive
    paused: bool = False
    basis: ClockBasis


class Total(Model):
    """The whole case from acceptance, and by how much a head may extend it, once and with notice."""

    working_days: Positive
    extension: Annotated[int, Field(ge=0)] = 0
    basis: ClockBasis


class Applies(Model):
    """The requests a route is for: every key present must hold."""

    outcomes: Annotated[tuple[Outcome, ...], Field(min_length=1)] | None = None
    domains: Annotated[tuple[Domain, ...], Field(min_length=1)] | None = None
    level_at_least: Annotated[int, Field(ge=1, le=4)] | None = None
    delivery: Annotated[tuple[Mode, ...], Field(min_length=1)] | None = None


class Route(Model):
    """The steps of a case, in order.  The source unit looks first, the authority decides last."""

    format: Literal["route/1"]
    id: str
    edition: str
    title: Text
    priority: int = 0
    applies: Applies | None = None
    total: Total
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def ends_with_the_authority(self) -> Self:
        if self.steps[-1].role != "authority":
            raise PydanticCustomError("steps", "最后一步必须由主管部门审定 / the last step is the authority's")
        return self

    @property
    def running_days(self) -> int:
        """Working days of the steps that do not pause the total."""
        return sum(step.working_days for step in self.steps if not step.paused)

    @cached_property
    def digest(self) -> str:
        return sha256(rfc8785.dumps(self.written())).hexdigest()

    def frozen(self) -> dict[str, Any]:
        """Return the route as plain JSON for the application: later editions do not change a running case."""
        kept = self.model_dump(mode="json", include={"id", "edition", "title", "total", "steps"})
        return kept | {"digest": self.digest}


def route_for(
    routes: Iterable[Route],
    *,
    outcome: Outcome,
    domains: Collection[str],
    level: int | None,
    delivery: str | None,
) -> Route:
    """Return the route of highest priority that is for this request; equal priorities go by id.

    A level that is not known counts as the highest.  Raises LookupError when there is none, which the loader
    prevents by asking for a route without conditions.
    """
    fitting = [
        route
        for route in routes
        if route.applies is None
        or _fits(route.applies, outcome, frozenset(domains), 4 if level is None else level, delivery)
    ]
    if not fitting:
        raise LookupError("no route is for this request")
    return min(fitting, key=lambda route: (-route.priority, route.id))


def _fits(applies: Applies, outcome: Outcome, domains: frozenset[str], level: int, delivery: str | None) -> bool:
    return (
        (applies.outcomes is None or outcome in applies.outcomes)
        and (applies.domains is None or not domains.isdisjoint(applies.domains))
        and (applies.level_at_least is None or level >= applies.level_at_least)
        and (applies.delivery is None or delivery in applies.delivery)
    )
