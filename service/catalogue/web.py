"""The list of datasets with its search."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from service.base import db, http
from service.base.access import Role, requires
from service.base.errors import Invalid
from service.base.forms import errors_by_field, form_data, parse
from service.base.i18n import gettext
from service.catalogue import rules, store
from service.catalogue.engine import words
from service.catalogue.forms import SearchForm
from service.people import store as people

pages = Blueprint("catalogue", __name__)


@pages.app_context_processor
def titles() -> dict[str, object]:
    """Give every template the titles of the catalogue's words."""
    return {
        "key_domains": rules.KEY_DOMAINS,
        "openness_titles": rules.OPENNESS_TITLES,
        "column_types": rules.TYPE_TITLES,
        "bases": rules.BASIS_TITLES,
    }


@pages.get("/datasets")
@requires(Role.PUBLIC)
def datasets() -> ResponseReturnValue:
    """List the published datasets that answer the reader's words and choices; at most `store.MOST`."""
    typed = {name: request.args.get(name, "") for name in ("q", "domain", "openness")}
    try:
        asked, errors = parse(SearchForm, form_data(request.args)), {}
    except Invalid as fault:
        asked, errors = SearchForm(), errors_by_field(fault)
    demanded, better = words.asked(asked.q)
    nothing = bool(asked.q) and not demanded
    with db.reading() as session:
        found = [] if nothing or errors else store.search(
            session, demanded, better=better, key_domain=asked.domain, openness=asked.openness
        )  # fmt: skip
        return http.page(
            "catalogue/list.html",
            status=422 if errors else 200,
            datasets=found,
            units=people.units_by_id(session, [one.source_unit_id for one in found]),
            versions=store.latest_of(session, [one.id for one in found]),
            typed=typed,
            errors=errors,
            most=store.MOST,
            domain_choices=[(word, gettext(title)) for word, title in rules.KEY_DOMAINS.items()],
            openness_choices=[(word.value, gettext(title)) for word, title in rules.OPENNESS_TITLES.items()],
            cycles=rules.UPDATE_CYCLES,
        )
