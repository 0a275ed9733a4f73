"""Negative lists and screenings for programs."""

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import FIRM, Role, caller, requires
from service.base.errors import Invalid
from service.base.i18n import gettext
from service.catalogue import store as catalogue
from service.screening import actions, engine, store
from service.screening.forms import ScreeningForm
from service.screening.rules import Ask, seal_of
from service.screening.tables import ListEdition

api = Blueprint("screening_api", __name__, url_prefix="/api/v1")


@api.get("/negative-lists")
@requires(Role.PUBLIC)
def lists() -> ResponseReturnValue:
    """Answer every published edition of every list, whole."""
    with db.reading() as session:
        return http.json_answer({"lists": [_edition(edition) for edition in store.editions(session)]})


@api.post("/screenings")
@requires(*FIRM)
def screen() -> ResponseReturnValue:
    """Judge a request of the caller's unit by the lists in force, without keeping anything."""
    form, who = http.json_body(ScreeningForm), caller()
    _demand_words(form)
    ask = Ask(
        form.dataset, tuple(form.columns), tuple(form.filter_columns), who.unit_id, form.purpose, form.statement,
        form.delivery, form.retention_days, form.cross_border, form.onward_sharing, form.incidents,
    )  # fmt: skip
    with db.reading() as session:
        now = clock.now(session)
        catalogue.published_dataset(session, form.dataset)
        judged = actions.preview(session, ask, now=now)
        columns = actions.column_verdicts(session, ask, now=now)
    seal = seal_of(judged.digests)
    return http.json_answer({**judged.verdict, "seal": seal, "facts": judged.facts, "columns": columns})


def _demand_words(form: ScreeningForm) -> None:
    """Raise Invalid for words that the vocabulary does not have: they could only be judged as unknown."""
    given = {"purpose": ("purposes", form.purpose), "delivery": ("delivery", form.delivery)}
    wrong = [name for name, (axis, word) in given.items() if word is not None and word not in engine.words(axis)]
    if wrong:
        raise Invalid(errors=[{"field": name, "message": gettext("不在可选范围内")} for name in wrong])


def _edition(edition: ListEdition) -> dict[str, Any]:
    return {
        "id": edition.list_id,
        "edition": edition.edition,
        "domain": edition.domain,
        "digest": edition.digest,
        "effective": {
            "from": edition.effective_from.isoformat(),
            "until": edition.effective_until.isoformat() if edition.effective_until else None,
        },
        "published_at": edition.published_at.isoformat(),
        "body": edition.body,
    }
