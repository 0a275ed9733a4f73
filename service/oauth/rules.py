"""Pure rules of tokens: shapes of secrets, what a request may ask for, how long a token lives."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

from service.base.errors import Refusal
from service.base.i18n import N_

SCOPE = "data.read"
DETAIL_TYPE = "dataset_access"
ACTIONS = ("read",)
TOKEN_PREFIX = "qta_"
SECRET_PREFIX = "qts_"
LIFETIME = timedelta(hours=1)
DETAIL_FIELDS = frozenset({"type", "identifier", "actions", "locations", "columns", "grant"})
MAX_DETAILS = 8192  # characters of the parameter
CLIENT_ID = re.compile(r"c-[0-9a-z]{26}")

INVALID_TOKEN = 'Bearer realm="qiantang", error="invalid_token"'  # RFC 6750 3.1


class TokenExpired(Refusal):
    code = "token-expired"
    title = N_("令牌已过期")
    status = 401
    challenge = INVALID_TOKEN
    detail = N_("请用系统凭据重新换取令牌。")


class TokenRevoked(Refusal):
    """Also what an unknown token is told: nobody learns which of the two it is."""

    code = "token-revoked"
    title = N_("令牌无效或已作废")
    status = 401
    challenge = INVALID_TOKEN
    detail = N_("请用系统凭据重新换取令牌；系统停用后须由本单位管理员重新登记。")


class TokenMissing(Refusal):
    code = "token-missing"
    title = N_("需要访问令牌")
    status = 401
    detail = N_("此数据集须有数据使用授权。申请入口：%(apply)s")


class GrantMissing(Refusal):
    """The token is good, but covers no grant on this dataset."""

    code = "grant-missing"
    title = N_("没有此数据集的数据使用授权")
    status = 403
    detail = N_("此系统没有该数据集的数据使用授权。申请入口：%(apply)s")


UNIT_WITHOUT = N_("本单位没有该数据集的数据使用授权。申请入口：%(apply)s")
RENEW = N_("此令牌不含该数据使用授权，请用系统凭据重新换取令牌。")


class BadDetails(Exception):
    """`authorization_details` asks for what there is not; the text is ASCII and says which part."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A client's id and secret as they came; never logged."""

    client_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Usable:
    """A live grant that a client may use, as far as a token needs to know it."""

    grant_id: str
    dataset_id: str
    columns: tuple[str, ...]
    ends_at: datetime


def digest(token: str) -> str:
    """Return the SHA-256 of a token in hex: what is stored and looked up."""
    return hashlib.sha256(token.encode()).hexdigest()


def secret_digest(secret: str, pepper: bytes) -> str:
    """Return the HMAC of a secret under the server's pepper in hex."""
    return hmac.new(pepper, secret.encode(), hashlib.sha256).hexdigest()


def fingerprint(secret_digest: str) -> str:
    """Return the 8 hex digits by which people tell secrets apart; they say nothing about the secret."""
    return secret_digest[:8]


def same(left: str, right: str) -> bool:
    """Compare two hex digests in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def presented(authorization: str | None, form: Mapping[str, str]) -> Presented | None:
    """Return the one set of client credentials in a request; None when there is none, or more than one, or rubbish.

    Basic parts come raw from some libraries and form-encoded from others (RFC 6749 2.3.1); our own ids and secrets have
    only unreserved characters, so decoding both ways gives the same.
    """
    basic = _basic(authorization) if authorization else None
    if authorization:
        body_id = form.get("client_id")
        if basic is None or "client_secret" in form or (body_id and body_id != basic.client_id):
            return None
        return basic
    if form.get("client_id") and form.get("client_secret"):
        return Presented(form["client_id"], form["client_secret"])
    return None


def could_be_client(client_id: str) -> bool:
    """Whether a name has the shape of our clients' ids; nothing else is looked up, counted or kept."""
    return CLIENT_ID.fullmatch(client_id) is not None


def bearer(authorization: str | None) -> str | None:
    """Return the access token of a data request: Bearer, or the password of Basic for tools that know nothing else."""
    if not authorization:
        return None
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip() or None
    basic = _basic(authorization)
    return basic.secret if basic else None


def _basic(authorization: str) -> Presented | None:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    client_id, colon, secret = text.partition(":")
    return Presented(unquote_plus(client_id), unquote_plus(secret)) if colon else None


def narrowed(parameter: str | None, usable: Sequence[Usable], *, location: str) -> tuple[Usable, ...]:
    """Return the grants that `authorization_details` (RFC 9396) asks for; all of them when it is absent.

    Raises BadDetails on anything unknown: a request is never narrowed or widened in silence.
    """
    if parameter is None:
        return tuple(usable)
    wanted = _details(parameter)
    chosen: list[Usable] = []
    for detail in wanted:
        matching = [grant for grant in usable if _meant(grant, detail)]
        _demand(bool(matching), "no live grant on that identifier")
        _demand(set(detail.get("locations", [location])) <= {location}, "unknown location")
        wanted_columns = set(detail.get("columns", []))
        _demand(all(wanted_columns <= set(grant.columns) for grant in matching), "a column is not granted")
        chosen += [grant for grant in matching if grant not in chosen]
    return tuple(chosen)


def _meant(grant: Usable, detail: Mapping[str, Any]) -> bool:
    """Whether a detail means this grant: by its dataset and, as our own echo names it, by its id."""
    return (grant.dataset_id, grant.grant_id) == (detail["identifier"], detail.get("grant", grant.grant_id))


def _details(parameter: str) -> list[dict[str, Any]]:
    _demand(len(parameter) <= MAX_DETAILS, "too long")
    try:
        wanted = json.loads(parameter)
    except (ValueError, RecursionError):
        raise BadDetails("not JSON") from None
    _demand(isinstance(wanted, list) and bool(wanted), "not a list of objects")
    for detail in wanted:
        _demand(isinstance(detail, dict), "not a list of objects")
        _demand(detail.keys() <= DETAIL_FIELDS, "unknown field")
        _demand(detail.get("type") == DETAIL_TYPE, "unknown type")
        _demand(isinstance(detail.get("identifier"), str), "identifier missing")
        _demand(detail.get("actions", list(ACTIONS)) == list(ACTIONS), "unknown action")
        _demand(all(_texts(detail.get(name, [])) for name in ("locations", "columns")), "not a list of texts")
    return wanted  # type: ignore[no-any-return]


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _demand(holds: bool, why: str) -> None:
    if not holds:
        raise BadDetails(why)


def details_of(grants: Iterable[Usable], *, location: str) -> list[dict[str, Any]]:
    """Return what a token is good for, as echoed in the token response."""
    return [
        {
            "type": DETAIL_TYPE,
            "identifier": grant.dataset_id,
            "actions": list(ACTIONS),
            "columns": list(grant.columns),
            "locations": [location],
            "grant": grant.grant_id,
        }
        for grant in grants
    ]


def lifetime(now: datetime, grants: Iterable[Usable]) -> timedelta:
    """Return how long a token for `grants` lives: an hour, and never past the first end among them."""
    return min([LIFETIME, *(grant.ends_at - now for grant in grants)])


# A token that would live for less than a second is not worth issuing; expires_in counts whole seconds.
SHORTEST = timedelta(seconds=1)

# ASCII sentences for error_description (RFC 6749 5.2), by the slug of the refusal.
TOKEN_REASONS = {
    "grant-missing": "this client has no grant; a manager of the unit assigns one on the grant's page",
    "grant-not-started": "the grant has not started yet",
    "grant-suspended": "the grant is suspended; see its page for the cause",
    "grant-ended": "the grant has ended; apply for a new one on the dataset's page",
    "grant-returned": "the unit has given the grant back; apply for a new one on the dataset's page",
}


# What is kept of a refusal's facts: dates, waits, ways of delivery; and of columns those that the dataset has.
KEPT_FACTS = frozenset({"start", "end", "at", "delivery", "granted", "retry_after"})


def told(code: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a refusal that may be kept: nothing that a request said in its own words."""
    names = KEPT_FACTS | ({"columns"} if code == "column-not-granted" else set())
    return {name: str(value)[:500] for name, value in facts.items() if name in names}


# ---- scripts as they are shown ---------------------------------------------------------------------------------------

_PYTHON = re.compile(
    r'(?P<comment>#[^\n]*|^"""[^"]*""")'
    r"""|(?P<text>[fr]?(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))"""
    r"|\b(?P<word>import|from|as|if|else|elif|not|for|in|while|with|try|except|def|return|is|None|or|and)\b",
    re.MULTILINE,
)
_SHELL = re.compile(
    r"(?P<comment>(?:^|(?<=\s))#[^\n]*)"
    r"""|(?P<text>"(?:\\.|[^"\\])*"|'[^']*')"""
    r"|\b(?P<word>set|for|in|do|done|exit|if|then|fi)\b",
    re.MULTILINE,
)


def highlighted(script: str, name: str) -> list[tuple[str, str]]:
    """Return a script in pieces of (kind, text): comment, text (a string), word (of the language), or "".

    Joined, the pieces are the script again: what is copied from the page is what runs.
    """
    pieces, end = [], 0
    for match in (_PYTHON if name.endswith(".py") else _SHELL).finditer(script):
        if match.start() > end:
            pieces.append(("", script[end : match.start()]))
        pieces.append((str(match.lastgroup), match.group()))
        end = match.end()
    return [*pieces, ("", script[end:])] if end < len(script) else pieces
