"""Sums over the rows of a released view."""

from contextlib import ExitStack
from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue

from service.base import db, derived, http
from service.base.access import Role, requires
from service.data import engine, gate, store
from service.data.api import parts, query
from service.data.api.parts import api
from service.data.forms import AggregateForm
from service.data.gate import Admitted
from service.data.rules import aggregates as rules
from service.grants.rules.transforms import Suppress, read
from service.people import store as people


@api.post("/aggregate")
@requires(Role.CLIENT)
def aggregate(dataset_id: str) -> ResponseReturnValue:
    """Answer counts, sums, averages, extremes and quantiles of rows by the values of columns."""
    asked = parts.asked_of(dataset_id, "api", "aggregate")
    admitted = parts.admitted(asked)
    form = query.body(AggregateForm)
    columns, apply = query.columns_of(admitted), gate.apply_url(admitted.dataset.id)
    wanted = rules.aggregation_of(form.model_dump(), columns, apply=apply)
    cells = _cells(admitted, wanted)
    body: dict[str, Any] = {"columns": cells.columns, "rows": cells.rows, "more": cells.more}
    if (smallest := _smallest(admitted)) is not None:
        body |= {"smallest": smallest.k, "noise": rules.NOISE}
    answer: Response = http.json_answer(body)
    parts.say_grant(answer, admitted)
    parts.note(admitted, "aggregate", len(cells.rows), int(answer.content_length or 0))
    return answer


def _smallest(admitted: Admitted) -> rules.Smallest | None:
    """Return the smallest group that the grant's conditions bind its rows to; None for public data and where none does.

    Where only aggregates are granted the view's rows are cells already, each large enough and noisy.
    """
    if admitted.grant is None:
        return None
    steps = [step for step in read(admitted.grant.transforms) if isinstance(step, Suppress)]
    if not steps:
        return None
    listed = tuple(name for name in admitted.columns if all(name in step.columns for step in steps))
    return rules.Smallest(max(step.k for step in steps), listed)


def _cells(admitted: Admitted, wanted: rules.Aggregation) -> engine.Cells:
    smallest = _smallest(admitted)
    if smallest is not None:
        rules.demand_allowed(wanted, smallest)
    with ExitStack() as held:
        files = query.parts_of(admitted, held)
        if smallest is None:
            return engine.aggregate(files, wanted)
        key = derived.key(http.settings().pepper(), "counted cells", admitted.dataset.id)
        found = engine.count_cells(files, wanted, smallest.k, key, [part.sha256 for part in admitted.parts])
    _charge(admitted, found.names)
    return found


def _charge(admitted: Admitted, names: tuple[str, ...]) -> None:
    """Take the cells that are new to the unit from its budget; BudgetSpent when they do not fit: nothing is told."""
    if admitted.grant is None:
        return
    unit, dataset = admitted.grant.unit_id, admitted.dataset.id
    with db.writing() as session:
        people.lock_unit(session, unit)
        new = store.new_cells(session, unit, dataset, names)
        if new and rules.over_budget(store.cells_told(session, unit, dataset), new):
            raise rules.BudgetSpent(most=rules.BUDGET)
        store.tell_cells(session, unit, dataset, new)
