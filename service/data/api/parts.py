"""What the faces of the data plane share: their blueprint, what was asked, what is written down of an answer."""

from flask import Blueprint, Response, g, request
from werkzeug.wrappers import Response as BaseResponse

from service.base import clock, db, http, log
from service.base.errors import Refusal
from service.data import store
from service.data.gate import Admitted, Asked
from service.oauth import gate as oauth
from service.oauth.gate import Refused

api = Blueprint("data", __name__, url_prefix="/api/v1/datasets/<dataset_id>")


@api.errorhandler(Refusal)
def refuse(refusal: Refusal) -> BaseResponse:
    """Answer a refusal as everywhere, and leave a line about it where the client is known, after the answer."""
    answer = http.refuse(refusal)
    asked: Asked | None = g.get("asked")
    if asked is None or asked.known.client_id is None:
        return answer
    refused = Refused(
        log.request_id.get(), asked.known.client_id, str(g.endpoint), refusal.code, refusal.status,
        dataset_id=asked.dataset_id, grant_id=asked.known.grant_id, facts=refusal.facts,
    )  # fmt: skip
    if request.method == "HEAD":
        oauth.remember(refused)
        return answer
    answer.content_length = answer.calculate_content_length() or 0
    answer.response = oauth.Afterwards(answer.iter_encoded(), lambda: oauth.remember(refused))
    return answer


def asked_of(dataset_id: str, delivery: str, endpoint: str) -> Asked:
    g.asked = Asked(dataset_id, request.headers.get("Authorization"), request.args.get("grant"), delivery)
    g.endpoint = endpoint
    return g.asked  # type: ignore[no-any-return]


def say_grant(answer: Response, admitted: Admitted) -> None:
    if admitted.grant:
        answer.headers["Qiantang-Grant"] = admitted.grant.id


def note(admitted: Admitted, face: str, rows: int, size: int, *, whole: bool) -> None:
    with db.writing() as session:
        store.note_usage(
            session,
            now=clock.now(session),
            dataset_id=admitted.dataset.id,
            grant_id=admitted.grant.id if admitted.grant else None,
            client_id=admitted.client_id,
            view_id=admitted.view.id,
            face=face,
            rows=rows,
            size=size,
            whole=whole,
        )
