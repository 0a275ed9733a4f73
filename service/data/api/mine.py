"""What a client may ask about itself."""

from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from service.base import clock, db, http
from service.base.access import Role, requires
from service.base.errors import Refusal
from service.data import gate
from service.data.api.parts import asked_of, mine, refuse


@mine.get("/grants")
@requires(Role.CLIENT)
def my_grants() -> ResponseReturnValue:
    """List the grants of the client behind a token: columns, end, version, what is left of its quota."""
    asked = asked_of("", "api", "grants")
    with db.reading() as session:
        now = clock.now(session)
        found = gate.own_grants(session, asked, now=now)
    return http.json_answer({"grants": [one.document(now=now) for one in found]})


@mine.errorhandler(Refusal)
def refuse_mine(refusal: Refusal) -> BaseResponse:
    """Answer and keep a refusal as that of a dataset's face."""
    return refuse(refusal)
