"""The gate of login: who is throttled, and whether a password fits.

Only failures are counted.  Nobody is locked out by a name alone: what strangers do to a login from elsewhere only
shortens the patience with addresses from which its owner has never come.
"""

import hashlib
import hmac
from datetime import datetime

from service.base import cache, db, log
from service.base.errors import TooMany
from service.people import engine, store
from service.people.rules import KNOWN_FOR, LoginFailed, network_of
from service.people.tables import Person

PAIR = "10/15 minutes"  # failures of one login from one address
PAIR_UNDER_ATTACK = "3/15 minutes"  # the same, from an address never seen, while the login is attacked from many
ADDRESS = "60/15 minutes"  # failures from one address, whatever the login
EVERYWHERE = "30/hour"  # failures of one login from all addresses: more is an attack
REGISTRATIONS = "60/hour"  # of units from one address


def authenticate(login: str, password: str, *, address: str, pepper: bytes, now: datetime) -> Person:
    """Return the person whose password this is.

    Hashing runs outside any transaction.  Raises LoginFailed, TooMany (before the password is looked at), Unavailable.
    """
    network = network_of(address)
    with db.reading() as session:
        person = store.person_by_login(session, login)
        # Asked for nobody too, so that an unknown login takes as long as a known one.
        someone, origin = person.id if person is not None else "", origin_of(address, pepper)
        known = store.came_from(session, someone, origin, since=now - KNOWN_FOR)
    _demand_patience(login, network, known=known)
    stored = person.password_hash if person is not None and person.disabled_at is None else None
    if engine.verify(stored, password) and person is not None:
        return person
    _count_failure(login, network)
    log.info("people", "login failed")
    raise LoginFailed()


def admit_registration(address: str) -> None:
    """Count one registration from an address; TooMany when there were too many."""
    network = network_of(address)
    cache.check(REGISTRATIONS, "registration", network)
    cache.count(REGISTRATIONS, "registration", network)


def origin_of(address: str, pepper: bytes) -> str:
    """Return the keyed digest under which a network address is remembered."""
    return hmac.new(pepper, b"origin:" + network_of(address).encode(), hashlib.sha256).hexdigest()


def _demand_patience(login: str, network: str, *, known: bool) -> None:
    cache.check(ADDRESS, "login-address", network)
    cache.check(PAIR, "login-pair", login, network)
    if not known and _attacked(login):
        cache.check(PAIR_UNDER_ATTACK, "login-pair", login, network)


def _attacked(login: str) -> bool:
    try:
        cache.check(EVERYWHERE, "login", login)
    except TooMany:
        return True
    return False


def _count_failure(login: str, network: str) -> None:
    cache.count(ADDRESS, "login-address", network)
    for limit in (PAIR, PAIR_UNDER_ATTACK):
        cache.count(limit, "login-pair", login, network)
    cache.count(EVERYWHERE, "login", login)
