"""What somebody may have meant by the address of a dataset that there is not."""

from difflib import get_close_matches

from service.base.db import Session
from service.catalogue import store
from service.catalogue.engine import finding, words

MOST = 3
LIKE = 0.5  # of difflib's ratio: a letter left out, a word changed
NEWEST = 100  # datasets whose ids are compared


def near(session: Session, name: str) -> list[tuple[str, dict[str, str]]]:
    """Return up to three published datasets, as (id, title), whose id or words are like `name`; the likest first."""
    known = [one.dataset_id for one in store.browse(session, limit=NEWEST)]
    close = get_close_matches(name, known, MOST, LIKE)
    query = words.asked(name.replace("-", " "))
    found = finding.find(session, query, {}, limit=MOST).found if query.demanded else ()
    chosen = list(dict.fromkeys((*close, *(one.dataset_id for one in found))))[:MOST]
    return [
        (card.id, {"zh": card.title_zh, "en": card.title_en or card.title_zh}) for card in store.cards(session, chosen)
    ]
