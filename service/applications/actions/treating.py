"""What will be done to the data of a case before it goes out, compiled from the conditions of its verdict."""

from collections.abc import Sequence

from service.applications.tables import Application
from service.base.db import Session
from service.catalogue import store as catalogue
from service.catalogue.tables import Dataset
from service.grants.rules.obliging import Asked, Compiled
from service.grants.rules.transforms import Transform, about, said
from service.screening import engine as judging
from service.screening.rules import Judged


def treatment(session: Session, application: Application, dataset: Dataset, judged: Judged) -> Compiled:
    """Return the steps and the quota of a case as it stands, with the conditions that they see to."""
    known = {column.name: column for column in catalogue.columns(session, dataset.id)}
    asked = [Asked(name, known[name].type, known[name].semantic) for name in application.columns if name in known]
    return judging.treatment(judged.facts, judged.verdict, asked)


def told(steps: Sequence[Transform]) -> dict[str | None, str]:
    """Return what is done to each column, and under None to rows, in Chinese: the language an agreement binds in."""
    return {about(step): said(step, _as_it_is) for step in steps}


def bracket(name: str, steps: Sequence[Transform]) -> str:
    """Return how an agreement names a granted column, with what is done to it."""
    done = told(steps).get(name)
    return f"（{name}；{done}）" if done else f"（{name}）"


def agreed(text: str, columns: Sequence[str], steps: Sequence[Transform]) -> bool:
    """Whether an agreement's text says of each column and of the rows what would be done today."""
    rows = told(steps).get(None)
    return all(bracket(name, steps) in text for name in columns) and (rows is None or rows in text)


def _as_it_is(message: str) -> str:
    return message
