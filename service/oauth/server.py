"""The authorization server: Authlib's client_credentials grant on our own tables and our own client authentication.

Authlib's stock client authentication answers some malformed requests with 500, tells unknown clients from wrong
secrets, and drops unknown scopes in silence; so `authenticate_client` is ours, and the rest of the grant is Authlib's.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidGrantError, InvalidRequestError, InvalidScopeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from flask import g, request

from service.base import cache, clock, db, http
from service.base.db import Session
from service.base.errors import Refusal, TooMany
from service.oauth import actions, rules, store
from service.oauth.rules import BadDetails, Usable

FAILURES_PER_CLIENT = "20/minute"
FAILURES_PER_ADDRESS = "60/minute"
# Compared against when a client is unknown, so that an answer takes as long as for a known one.
NOBODY = "0" * 64
# Authlib's own challenge has no realm, which RFC 7617 demands.
CHALLENGE = 'Basic realm="qiantang", charset="UTF-8"'


class InvalidDetails(OAuth2Error):
    """RFC 9396 section 5."""

    error = "invalid_authorization_details"


class TooManyFailures(OAuth2Error):
    """RFC 6585: not an OAuth code of its own; libraries show the description."""

    error = "temporarily_unavailable"
    status_code = 429


@dataclass(frozen=True, slots=True)
class System(ClientMixin):
    """An authenticated client as Authlib wants to see it."""

    id: str
    secret_id: str

    def get_client_id(self) -> str:
        return self.id

    def check_grant_type(self, grant_type: str) -> bool:
        return bool(grant_type == ClientCredentialsGrant.GRANT_TYPE)


class Server(AuthorizationServer):
    """Authlib's server with one `authenticate_client` for all endpoints, and tokens that are rows of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.register_grant(ClientCredentialsGrant)
        self.register_token_generator("default", _generate)

    def authenticate_client(self, _request: Any, _methods: Any, endpoint: str = "token") -> System:
        """Return the client behind this request; every failure gives the same answer."""
        _refuse_repeated_parameters()
        given = rules.presented(request.headers.get("Authorization"), request.form)
        counted = given.client_id if given and rules.could_be_client(given.client_id) else ""
        g.token_client = counted
        _check_failures(counted)
        with db.reading() as session:
            found = _matching_secret(session, given) if given else None
        if found is None:
            _count_failure(counted)
            raise InvalidClientError(description="client authentication failed", status_code=401)
        g.token_proved = True
        return found

    def validate_requested_scope(self, scope: str | None) -> None:
        """Refuse anything but our one scope; an empty parameter counts as none at all (RFC 6749 3.1)."""
        if scope and set(scope.split()) != {rules.SCOPE}:
            raise InvalidScopeError(description=f"the only scope is {rules.SCOPE}")

    def save_token(self, _token: dict[str, Any], _request: Any) -> None:
        """Nothing: issuing writes the row and its audit event in one transaction."""

    def send_signal(self, *_args: Any, **_kwargs: Any) -> None:
        """Nobody listens."""

    def token_answer(self) -> Any:
        """Answer a token request."""
        answer = self.create_token_response()
        answer.headers["Cache-Control"] = "no-store"
        if answer.status_code == 401:
            answer.headers["WWW-Authenticate"] = CHALLENGE
        if answer.status_code >= 400:
            answer.headers["Qiantang-Problem"] = g.get("token_problem") or _slug(answer.get_json())
        return answer


def _slug(refusal: dict[str, Any]) -> str:
    """Return the slug of a refusal that only OAuth has a code for."""
    return str(refusal["error"]).replace("_", "-")


def _generate(client: System, **_others: Any) -> dict[str, Any]:
    location = f"{http.settings().base_url}/api/v1"
    with db.writing() as session:
        now = clock.now(session)
        usable = _usable(session, client.id, now=now)
        wanted = _wanted(usable, location)
        secret, token = actions.issue(session, client.id, client.secret_id, wanted, location=location, now=now)
    return {
        "access_token": secret,
        "token_type": "Bearer",
        "expires_in": int((token.expires_at - now).total_seconds()),
        "scope": token.scope,
        "authorization_details": token.details,
    }


def _usable(session: Session, client_id: str, *, now: datetime) -> list[Usable]:
    """Return the live grants of a client; invalid_grant with the reason of the last one to end when none is live."""
    usable, refusals = [], []
    for covered in store.grants_of(session, client_id):
        grant = covered.grant
        refusal = _refusal(covered, now=now)
        if refusal is None:
            usable.append(Usable(grant.id, grant.dataset_id, tuple(grant.columns), grant.ends_at))
        else:
            refusals.append(refusal)
    if usable:
        return usable
    slug = refusals[-1].code if refusals else rules.GrantMissing.code
    g.token_problem = slug
    raise InvalidGrantError(description=f"{slug}: {rules.TOKEN_REASONS[slug]}")


def _refusal(covered: store.Covered, *, now: datetime) -> Refusal | None:
    """Return why no token is issued for a grant; one that ends within a second counts as ended."""
    refusal = covered.refusal(now=now)
    if refusal is None and covered.grant.ends_at - now < rules.SHORTEST:
        return covered.refusal(now=covered.grant.ends_at)
    return refusal


def _wanted(usable: list[Usable], location: str) -> tuple[Usable, ...]:
    try:
        return rules.narrowed(request.form.get("authorization_details"), usable, location=location)
    except BadDetails as fault:
        raise InvalidDetails(description=f"authorization_details: {fault}") from None


def _matching_secret(session: Session, given: rules.Presented) -> System | None:
    digest = rules.secret_digest(given.secret, http.settings().pepper())
    rows = store.secrets_in_use(session, given.client_id) if rules.could_be_client(given.client_id) else ()
    matches = [row for row in rows if rules.same(row.digest, digest)]
    if not rows:
        rules.same(NOBODY, digest)
    return System(given.client_id, matches[0].id) if matches else None


def _refuse_repeated_parameters() -> None:
    if any(len(values) > 1 for _name, values in request.form.lists()) or request.args:
        raise InvalidRequestError(description="parameters belong in the body, each once")


def _check_failures(client_id: str) -> None:
    try:
        cache.check(FAILURES_PER_CLIENT, "token", client_id, request.remote_addr or "")
        cache.check(FAILURES_PER_ADDRESS, "token", request.remote_addr or "")
    except TooMany as refusal:
        g.retry_after = refusal.facts["retry_after"]
        raise TooManyFailures(description="too many failed attempts, wait a minute") from None


def _count_failure(client_id: str) -> None:
    cache.count(FAILURES_PER_CLIENT, "token", client_id, request.remote_addr or "")
    cache.count(FAILURES_PER_ADDRESS, "token", request.remote_addr or "")
