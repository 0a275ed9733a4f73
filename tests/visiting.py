"""A person's session with a served process, over real HTTP: cookie, Origin, JSON or form; no redirects followed."""

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT = 30


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Visitor:
    """Somebody at `base_url`; each thread needs one of its own."""

    base_url: str
    cookies: dict[str, str] = field(default_factory=dict)

    def login(self, account: dict[str, str]) -> None:
        """Begin a session with the account's password."""
        given = {"login": account["login"], "password": account["password"], "next": "/"}
        answer = self.post("/login", form=given)
        assert answer.status == 303, answer.body.decode()

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, headers)

    def post(self, path: str, *, form: dict[str, Any] | None = None, body: object = None, **headers: str) -> Answer:
        """Send a form, or `body` as JSON, as one of our own pages would."""
        if form is not None:
            sent, kind = urlencode(form, doseq=True), "application/x-www-form-urlencoded"
        else:
            sent, kind = json.dumps(body), "application/json"
        return self._ask("POST", path, {"Content-Type": kind, "Origin": self.base_url, **headers}, sent.encode())

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Answer:
        """Ask once on a connection of its own; OSError or HTTPException when the server is away or goes away."""
        if self.cookies:
            headers = {**headers, "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        connection = http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=TIMEOUT)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            for value in answer.headers.get_all("Set-Cookie") or []:
                name, _, rest = value.partition("=")
                self.cookies[name] = rest.partition(";")[0]
            return Answer(answer.status, dict(answer.headers), content)
        finally:
            connection.close()
