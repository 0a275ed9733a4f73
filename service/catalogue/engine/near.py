"""What somebody may have meant by the address of a dataset that there is not."""

from difflib import get_close_matches

from service.base.db import Session
from service.catalogue import store
from service.catalogue.engine import words

MOST = 3
LIKE = 0.5  # of difflib's ratio: a letter left out, a word changed


def near(session: Session, name: str) -> list[tuple[str, dict[str, str]]]:
    """Return up to three published datasets, as (id, title), whose id or words are like `name`; the likest first."""
    known = {one.id: one for one in store.published(session)}
    close = [known[id] for id in get_close_matches(name, known, MOST, LIKE)]
    demanded, better = words.asked(name.replace("-", " "))
    found = store.search(session, demanded, better=better, limit=MOST) if demanded else []
    chosen = list({one.id: one for one in (*close, *found)}.values())[:MOST]
    return [(one.id, {"zh": one.title_zh, "en": one.title_en or one.title_zh}) for one in chosen]
