"""The authorization server's endpoints: token, and the two metadata documents that clients discover it by."""

from flask import Blueprint, Response, g
from flask.typing import ResponseReturnValue

from service.base import http, log
from service.base.access import Role, requires
from service.oauth import gate, rules
from service.oauth.gate import Refused
from service.oauth.server import Server

api = Blueprint("oauth_api", __name__)
server = Server()


@api.post("/oauth/token")
@requires(Role.CLIENT)
def token() -> ResponseReturnValue:
    """Exchange a client's secret for an access token (RFC 6749 4.4)."""
    answer = server.token_answer()
    if "retry_after" in g:
        answer.headers["Retry-After"] = str(g.retry_after)
    if answer.status_code >= 400 and g.get("token_client"):
        _remember(answer)
    return answer  # type: ignore[no-any-return]


def _remember(answer: Response) -> None:
    """Leave a line about a refused token request, after its answer."""
    refused = Refused(
        log.request_id.get(), g.token_client, "token", answer.headers["Qiantang-Problem"], answer.status_code,
        proved=g.get("token_proved", False),
    )  # fmt: skip
    answer.content_length = answer.calculate_content_length() or 0
    answer.response = gate.Afterwards(answer.iter_encoded(), lambda: gate.remember(refused))


@api.get("/.well-known/oauth-authorization-server")
@requires(Role.PUBLIC)
def server_metadata() -> ResponseReturnValue:
    """Describe the authorization server (RFC 8414)."""
    base = http.settings().base_url
    return http.json_answer(
        {
            "issuer": base,
            "token_endpoint": f"{base}/oauth/token",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": ["none"],
            "scopes_supported": [rules.SCOPE],
            "authorization_details_types_supported": [rules.DETAIL_TYPE],
        }
    )


@api.get("/.well-known/oauth-protected-resource")
@requires(Role.PUBLIC)
def resource_metadata() -> ResponseReturnValue:
    """Describe the data plane as a protected resource (RFC 9728)."""
    base = http.settings().base_url
    return http.json_answer(
        {
            "resource": f"{base}/api/v1",
            "authorization_servers": [base],
            "scopes_supported": [rules.SCOPE],
            "bearer_methods_supported": ["header"],
        }
    )
