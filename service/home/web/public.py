"""Pages for everybody: the start, the public register, and what a refusal's type means."""

from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import Role, requires
from service.base.db import Session
from service.base.errors import NotFound, Refusal
from service.home import rules, store
from service.home.store import Granted
from service.home.web.parts import entry, pages
from service.policy import engine as policy

REGISTER_AFTER = 5  # working days that a unit has to mark trade secrets before its grant is shown (assumption)


@pages.get("/")
@requires(Role.PUBLIC)
def index() -> ResponseReturnValue:
    """Show what there is and how it works."""
    with db.reading() as session:
        return http.page("home/index.html", domains=store.domains(session))


@pages.get("/register")
@requires(Role.PUBLIC)
def register() -> ResponseReturnValue:
    """Show the public register: grants after the holding period, refusals as statistics and without names."""
    with db.reading() as session:
        now = clock.now(session)
        cutoff = rules.working_days_before(now, REGISTER_AFTER, works=policy.current().calendar.works)
        entries = [
            entry(session, one, now=now) | {"editions": _editions(session, one)}
            for one in store.issued_before(session, cutoff)
        ]
        refusals = rules.refusals_by_clause(store.refusal_verdicts(session))
        return http.page("home/register.html", entries=entries, refusals=refusals)


@pages.get("/problems/<code>")
@requires(Role.PUBLIC)
def problem_type(code: str) -> ResponseReturnValue:
    """Say what a problem's type means: what `type` in a problem document links to."""
    found = {kind.code: kind for kind in rules.kinds_of(Refusal)}.get(code)
    if found is None:
        raise NotFound()
    return http.page("home/problem.html", kind=found)


def _editions(session: Session, one: Granted) -> list[str]:
    return store.editions(session, one.grant.rests_on.get("lists", []))
