"""The start page: what this is, what there is, how it works."""

from flask.typing import ResponseReturnValue

from service.audit import store as audit
from service.base import clock, db, http
from service.base.access import Role, requires
from service.base.beijing import day_of
from service.catalogue import store as catalogue
from service.home import store
from service.home.web.parts import pages
from service.policy import engine as policy
from service.screening.rules import DOMAINS

NEWEST = 5


@pages.get("/")
@requires(Role.PUBLIC)
def index() -> ResponseReturnValue:
    """Say what this is, what there is, how it works, and how anybody can check it."""
    with db.reading() as session:
        now = clock.now(session)
        lists = policy.current().in_force(day_of(now))
        counts = catalogue.counts(session)
        return http.page(
            "home/index.html",
            counts=counts,
            total=counts.get("all", {}).get("", 0),
            domains=[(word, title) for word, title in DOMAINS.items() if word != "common"],
            data_domains=len(counts.get("data_domain", {})),
            live=store.live_grants(session, now=now),
            lists=lists,
            rules=sum(len(each.rules) for each in lists),
            newest=store.newest(session, limit=NEWEST),
            head=audit.head(session),
        )
