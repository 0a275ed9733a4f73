"""The session cookie: who is behind it, how it is set and cleared."""

from datetime import datetime

from flask import Blueprint, request
from werkzeug.wrappers import Response

from service.base import db, http
from service.base.access import Caller
from service.base.db import Session
from service.people import actions, store
from service.people.gate import origin_of
from service.people.rules import SEEN_EVERY, alive

pages = Blueprint("people", __name__)

COOKIE_LENGTH = 43  # 256 bits in base64url


def find_caller(cookie: str, now: datetime) -> Caller | None:
    """Return the person behind a session cookie, None when it is unknown, ended, idle for 30 min or 12 h old.

    Writes once in five minutes at most: when the session was last seen.
    """
    if len(cookie) != COOKIE_LENGTH:
        return None
    with db.reading() as session:
        found = store.session_with_person(session, actions.digest(cookie))
    if found is None:
        return None
    login, person, roles = found
    if not alive(created_at=login.created_at, seen_at=login.seen_at, now=now):
        return None
    if now - login.seen_at >= SEEN_EVERY:
        with db.writing() as session:
            store.touch(session, login.id_hash, now=now)
    return Caller(person.id, person.name, person.unit_id, roles, login.id_hash, login.authenticated_at, now)


def owner_of(cookie: str) -> str:
    """Return the id of the person whose session a cookie was, also an ended one; "" when nobody knows."""
    with db.reading() as session:
        return store.owner_of_session(session, actions.digest(cookie)) if cookie else ""


def begin(session: Session, person_id: str, *, now: datetime) -> str:
    """Begin a session for this browser in place of the one it had; return the new cookie."""
    former = request.cookies.get(http.cookie_name(http.settings()))
    return actions.start_session(
        session,
        person_id,
        origin=origin_of(address(), http.settings().pepper()),
        agent=request.headers.get("User-Agent", ""),
        replaces=actions.digest(former) if former else None,
        now=now,
    )


def address() -> str:
    """Return the network address of the browser."""
    return request.remote_addr or ""


def set_cookie(answer: Response, cookie: str) -> Response:
    """Give the browser its session; it ends with the browser at the latest."""
    settings = http.settings()
    answer.set_cookie(
        http.cookie_name(settings), cookie, path="/", secure=settings.secure, httponly=True, samesite="Lax"
    )
    return answer


def clear_cookie(answer: Response) -> Response:
    """Take the session from the browser."""
    settings = http.settings()
    answer.delete_cookie(http.cookie_name(settings), path="/", secure=settings.secure, httponly=True, samesite="Lax")
    return answer
