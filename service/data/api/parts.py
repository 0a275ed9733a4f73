"""What the faces of the data plane share: their blueprint, what was asked, what is written down of an answer."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from flask import Blueprint, Response, g, request
from werkzeug.wrappers import Response as BaseResponse

from service.base import clock, db, http, log
from service.base.access import caller_or_none
from service.base.errors import Refusal
from service.data import gate
from service.data.gate import Admitted, Asked, Meter, Visitor
from service.data.rules.asking import network_of, version_of
from service.data.rules.quota import Amount
from service.oauth import gate as oauth
from service.oauth.gate import Refused

RECHECK = 8 << 20  # bytes between two looks at whether a long answer may go on, and
RECHECK_SECONDS = 1.0  # seconds, whichever comes first
KEEP_SECONDS = 30.0  # between two notes of how much of it was sent

api = Blueprint("data", __name__, url_prefix="/api/v1/datasets/<dataset_id>")
mine = Blueprint("data_mine", __name__, url_prefix="/api/v1/me")


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


@api.after_request
def say_left(answer: BaseResponse) -> BaseResponse:
    """Say on every answer, refusals too, what is left of the grant's limits."""
    asked: Asked | None = g.get("asked")
    if asked is not None and asked.known.left is not None:
        answer.headers.update(asked.known.left.headers())
    return answer


# ---- asking ---------------------------------------------------------------------------------------------------------


def asked_of(dataset_id: str, delivery: str, endpoint: str, *, name: str = "", format: str = "") -> Asked:
    """Return what this request asks for; refusals are kept as `endpoint`, a link must be for `name`."""
    version, as_of = version_of(request.args.get("version"), request.args.get("as_of"))
    g.asked = Asked(
        dataset_id, request.headers.get("Authorization"), request.args.get("grant"), delivery, version=version,
        as_of=as_of, name=name, format=format, link=request.args.get("link"), key=http.settings().pepper(),
        visitor=_visitor(), network=network_of(request.remote_addr),
    )  # fmt: skip
    g.endpoint = endpoint[:20]
    return g.asked  # type: ignore[no-any-return]


def _visitor() -> Visitor | None:
    who = caller_or_none()
    return Visitor(who.person_id, who.unit_id, who.session_id, _at_home()) if who else None


def _at_home() -> bool:
    """Whether the browser asks from a page of ours, or by an address typed by hand; another site's page is neither."""
    site = request.headers.get("Sec-Fetch-Site")
    if request.method not in ("GET", "HEAD"):
        return http.same_site()
    if site is None:  # an older browser: our pages let it name them
        return request.headers.get("Referer", "").startswith(f"{http.settings().base_url}/")
    return site in ("same-origin", "none")


def admitted(asked: Asked) -> Admitted:
    """Ask the gate, and count the request; raises the refusal that says why not."""
    with db.reading() as session:
        return gate.enter(session, asked, now=clock.now(session))


def say_grant(answer: Response, admitted: Admitted) -> None:
    """Name the grant and the version that an answer was given under, and let no cache keep what a credential won."""
    answer.headers["Qiantang-Version"] = str(admitted.view.dataset_version)
    presented = admitted.grant or "Authorization" in request.headers or "link" in request.args
    answer.headers["Cache-Control"] = "private, no-store" if presented else "public, no-cache"
    if admitted.grant:
        answer.headers["Qiantang-Grant"] = admitted.grant.id


# ---- writing down ---------------------------------------------------------------------------------------------------


def note(admitted: Admitted, face: str, rows: int, size: int, *, whole: bool = True) -> None:
    """Charge and write down an answer that lies whole in memory, before it goes out; QuotaSpent: it must not."""
    gate.charge(admitted, g.asked, face, Amount(rows, size), whole=whole)


def flowing(
    admitted: Admitted, asked: Asked, face: str, pieces: Iterable[tuple[bytes, int]], *,
    rows: int | None = None, size: int | None = None,
) -> Iterable[bytes]:  # fmt: skip
    """Return the body of a long answer from `pieces`, each bytes with how many rows they hold.

    Its whole amount (`rows` and `size`, where both are known) or its first step is reserved now: QuotaSpent before
    anything went out.  On its way the gate is asked again each second or 8 MiB, and the answer breaks off
    (ConnectionAbortedError) once it says no; one row of usage is written when it was read, broke off or was closed.
    """
    total = Amount(rows, size) if rows is not None and size is not None else None
    meter = Meter(admitted, asked, face, total)
    meter.reserve()
    return oauth.Afterwards(_sending(meter, gate.still_open(admitted, asked), pieces), meter.end)


def _sending(meter: Meter, open_still: Callable[[], bool], pieces: Iterable[tuple[bytes, int]]) -> Iterator[bytes]:
    watch = Watch()
    for chunk, rows in pieces:
        if watch.due() and not open_still():
            raise ConnectionAbortedError("the grant ended while its bytes were on the way")
        if watch.long_unsaid() and not meter.keep():
            raise ConnectionAbortedError("the answer was given up and settled")
        if not meter.send(Amount(rows, len(chunk))):
            raise ConnectionAbortedError("the day's quota is spent")
        watch.count(len(chunk))
        yield chunk
    meter.whole = True


@dataclass(slots=True)
class Watch:
    """Knows when a long answer must be looked at again.  Counted in this process's own time: nobody moves it."""

    size: int = 0
    looked: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)

    def count(self, size: int) -> None:
        self.size += size

    def due(self) -> bool:
        """Whether 8 MiB went out since the last look, or a second passed; a look begins both anew."""
        now = time.monotonic()
        if self.size < RECHECK and now - self.looked < RECHECK_SECONDS:
            return False
        self.size, self.looked = 0, now
        return True

    def long_unsaid(self) -> bool:
        now = time.monotonic()
        if now - self.said < KEEP_SECONDS:
            return False
        self.said = now
        return True
