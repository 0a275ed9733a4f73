"""The units that wait for an officer of the authority to confirm their evidence."""

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import Role, caller, requires
from service.base.errors import Invalid, NotFound
from service.base.forms import errors_by_field, form_data, parse
from service.base.i18n import gettext, pick
from service.people import actions, store
from service.people.actions import RegisterFacts
from service.people.forms import ConfirmForm
from service.people.rules import APPLICANT_KINDS, KIND_NAMES, NO_CERTS
from service.people.web.session import pages
from service.policy import engine as policy

FACTS = ("applicant_kind", "credit", "certs")


@pages.get("/units")
@requires(Role.AUTHORITY)
def unit_list() -> ResponseReturnValue:
    """List the units awaiting confirmation, the longest waiting first, and where a code is disputed."""
    with db.reading() as session:
        units = store.awaiting(session)
        codes = {unit.id: store.claimed_uscc(session, unit) for unit in units}
        disputed = {
            unit_id
            for dispute in store.disputes_of(session, codes)
            for unit_id in (dispute.holder_id, dispute.claimant_id)
        }
    return http.page("people/units.html", units=units, codes=codes, disputed=disputed, kinds=_kind_names())


@pages.get("/units/<unit_id>")
@requires(Role.AUTHORITY)
def unit_case(unit_id: str) -> ResponseReturnValue:
    """Show one applicant unit, the others that claim its code, and the form for what was seen."""
    return _case(unit_id, {}, {}, [])


@pages.post("/units/<unit_id>/confirmation")
@requires(Role.AUTHORITY, fresh=True)
def confirm(unit_id: str) -> ResponseReturnValue:
    """Confirm a unit's evidence, and put down what the registers say about it."""
    try:
        form = _confirm_form()
    except Invalid as fault:
        return _case(unit_id, request.form.to_dict(), errors_by_field(fault), request.form.getlist("certs"), 422)
    who = caller()
    with db.writing() as session:
        now = clock.now(session)
        actions.confirm_unit(session, unit_id, evidence=form.evidence, by=who.person_id, now=now)
        if (facts := _facts(form)) != RegisterFacts():
            actions.record_facts(session, unit_id, facts, by=who.person_id, now=now)
    return http.see_other(f"/units/{unit_id}")


def _confirm_form() -> ConfirmForm:
    """Return the form; the words of its facts must be words of the lists' vocabulary."""
    form = parse(ConfirmForm, form_data(request.form, lists={"certs"}))
    given = {
        "applicant_kind": [form.applicant_kind] if form.applicant_kind else [],
        "credit": [form.credit] if form.credit else [],
        "certs": form.certs or [],
    }
    wrong = [name for name, words in given.items() if not set(words) <= {word for word, _name in _words(name)}]
    if wrong:
        raise Invalid(errors=[{"field": name, "message": gettext("不在可选范围内")} for name in wrong])
    return form


def _facts(form: ConfirmForm) -> RegisterFacts:
    """Return the facts that the officer filled in."""
    return RegisterFacts(form.applicant_kind, form.foreign_share, form.credit, _certs(form.certs))


def _certs(chosen: list[str] | None) -> tuple[str, ...] | None:
    """Return the chosen certificates and those they imply; None when nothing was chosen, not even "none"."""
    if not chosen:
        return None
    words = {word.word: word for word in policy.current().vocabulary.applicant_certs}
    implied = {other for word in chosen if word in words for other in words[word].implies}
    return tuple(sorted({word for word in chosen if word in words} | implied))


def _words(field: str) -> list[tuple[str, str]]:
    """Return the words that a field of the form may have, with their names."""
    vocabulary = policy.current().vocabulary
    found = {
        "applicant_kind": vocabulary.applicant_kinds,
        "credit": vocabulary.credit_states,
        "certs": vocabulary.applicant_certs,
    }[field]
    none = [(NO_CERTS, gettext("经查没有上述资质"))] if field == "certs" else []
    return [(word.word, pick({"zh": word.zh, "en": word.en})) for word in found] + none


def _case(
    unit_id: str, values: dict[str, Any], errors: dict[str, str], chosen: list[str], status: int = 200
) -> ResponseReturnValue:
    with db.reading() as session:
        unit = store.unit(session, unit_id)
        if unit.kind not in APPLICANT_KINDS:
            raise NotFound()
        disputes = store.disputes_of(session, [unit_id])
        others = {dispute.holder_id for dispute in disputes} | {dispute.claimant_id for dispute in disputes}
        confirmed = store.confirmation(session, unit_id)
        persons = store.persons_of(session, unit_id)
        shown = {
            "unit": unit,
            "uscc": store.claimed_uscc(session, unit),
            "confirmed": confirmed,
            "officer": store.names_of(session, [confirmed.by]).get(confirmed.by, "") if confirmed else "",
            "persons": persons,
            "others": list(store.units_by_id(session, others - {unit_id}).values()),
        }
    return http.page(
        "people/unit_case.html", status, **shown, kinds=_kind_names(), words={name: _words(name) for name in FACTS},
        values=values, errors=errors, chosen=chosen,
    )  # fmt: skip


def _kind_names() -> dict[str, str]:
    return {kind.value: gettext(name) for kind, name in KIND_NAMES.items()}
