"""The page of a dataset: what it is, what a reader may have, who decides."""

from datetime import datetime
from typing import Any

from flask.typing import ResponseReturnValue

from service.base import blobs, clock, db, http
from service.base.access import Role, caller_or_none, requires
from service.base.db import Session
from service.base.errors import NotFound
from service.catalogue import store as catalogue
from service.catalogue.rules import DATA_DOMAINS, UPDATE_CYCLES
from service.catalogue.tables import Dataset
from service.data import engine as data_engine
from service.grants import store as grants
from service.home import rules, store
from service.home.web.parts import pages
from service.people import store as people
from service.screening import actions as screening
from service.screening.rules import Ask

FIRST_ROWS = 10


@pages.get("/datasets/<dataset_id>")
@requires(Role.PUBLIC)
def dataset(dataset_id: str) -> ResponseReturnValue:
    """Show a dataset: dictionary with the verdict of each column, first rows if public, conditions, who decides."""
    with db.reading() as session:
        now = clock.now(session)
        found = catalogue.dataset(session, dataset_id)
        if found.state != "published" and not _may_see_draft(found):
            raise NotFound()
        return http.page("home/dataset.html", **_dataset_page(session, found, now=now))


def _dataset_page(session: Session, found: Dataset, *, now: datetime) -> dict[str, Any]:
    columns = catalogue.columns(session, found.id)
    names = tuple(column.name for column in columns)
    verdicts = screening.column_verdicts(session, Ask(found.id, names), now=now)
    view = grants.public_view(session, found.id) if found.openness == "unconditional" else None
    shown = [column["name"] for column in view.columns] if view else []
    rows: list[dict[str, Any]] = []
    if view:
        with blobs.as_file(view.parquet_key) as file:
            rows = data_engine.rows(file, shown, start=0, limit=FIRST_ROWS)
    route = screening.usual_route(session, found.id, now=now) if found.openness == "restricted" else {"steps": []}
    return {
        "dataset": found,
        "data_domain": DATA_DOMAINS[found.data_domain],
        "update_cycle": UPDATE_CYCLES[found.update_cycle],
        "columns": columns,
        "verdicts": {name: rules.column_shown(each) for name, each in verdicts.items()},
        "view": view,
        "shown": shown,
        "rows": rows,
        "removed": [name for name in names if view and name not in shown],
        "steps": route["steps"],
        "source": people.unit(session, found.source_unit_id),
        "version": catalogue.latest_or_none(session, found.id),
        "derived": store.derived(session, found.id),
        "lists": screening.lists_for(found.key_domain, now=now),
    }


def _may_see_draft(found: Dataset) -> bool:
    who = caller_or_none()
    return who is not None and (
        who.has(Role.AUTHORITY) or (who.has(Role.STEWARD) and who.unit_id == found.source_unit_id)
    )
