"""A form as a browser sends it, page by page."""

from collections.abc import Iterator, Mapping
from typing import Any

from service.applications.forms import OBJECTION, fields_of
from service.applications.rules import StepName


def pages(draft: Mapping[str, Any]) -> Iterator[tuple[StepName, dict[str, Any]]]:
    """Return each step with the fields that its page sends for a draft."""
    for step in StepName:
        sent = {name: draft[name] for name in fields_of(step) if name in draft and name != "objections"}
        if step is StepName.COLUMNS:
            sent |= {OBJECTION + name: text for name, text in draft.get("objections", {}).items()}
        yield step, sent


def fill(browser: Any, id: str, draft: Mapping[str, Any], *, go: str = "next") -> list[Any]:
    """Send every page of a form through a test client and return the answers."""
    return [browser.post(f"/applications/{id}/draft/{step}", data=sent | {"go": go}) for step, sent in pages(draft)]
