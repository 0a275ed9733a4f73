"""docs/permissions.md, made from the application's own routes: `python -m tests.house.permissions` writes it."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Flask

from service.app import access_of, create_app
from service.base.access import Access, Role
from service.base.settings import Settings
from tests.house.scan import ROOT

FILE = ROOT / "docs" / "permissions.md"
SHOWN = tuple(role for role in Role if role not in (Role.PUBLIC, Role.CLIENT))
HEAD = """# Who may call what

Made from the routes by `python -m tests.house.permissions`; a test compares it and walks every route with every role.
"public" is everybody. "client" is a unit's system with its own credential or token, checked by the gate. "fresh" needs
the password typed within the last 15 minutes. Beyond the role, every action asks whose case it is: an applicant sees
its own unit's, a steward its own source unit's, and nobody decides on a request of their own unit.

"""


@dataclass(frozen=True)
class Route:
    """One rule of the URL map with its methods and what its view demands."""

    path: str
    methods: tuple[str, ...]
    access: Access | None
    endpoint: str


def routes(app: Flask) -> list[Route]:
    """Return every route in the order of its path."""
    found = []
    for rule in app.url_map.iter_rules():
        methods = tuple(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        found.append(Route(rule.rule, methods, access_of(app.view_functions[rule.endpoint]), rule.endpoint))
    return sorted(found, key=lambda route: (route.path, route.methods))


def table(app: Flask) -> str:
    """Return docs/permissions.md for `app`."""
    lines = ["| path | methods | " + " | ".join(SHOWN) + " | fresh |", "|---|---|" + "---|" * (len(SHOWN) + 1)]
    for route in routes(app):
        if route.access is not None:
            cells = _cells(route.access)
            lines.append(f"| `{route.path}` | {' '.join(route.methods)} | {' | '.join(cells)} |")
    return HEAD + "\n".join(lines) + "\n"


def _cells(access: Access) -> list[str]:
    if open_to := access.roles & {Role.PUBLIC, Role.CLIENT}:
        word = "public" if Role.PUBLIC in open_to else "client"
        return [word] * len(SHOWN) + [""]
    return ["yes" if role in access.roles else "" for role in SHOWN] + ["fresh" if access.fresh else ""]


def main() -> None:
    """Write docs/permissions.md anew."""
    with TemporaryDirectory() as home:
        FILE.write_text(table(create_app(Settings(home=Path(home)))), encoding="utf-8")


if __name__ == "__main__":
    main()
