"""Pages that join nouns: home, dataset, grants, inbox, public register."""

from service.home.web import dataset, grants, inbox, menu, public
from service.home.web.parts import pages

__all__ = ["dataset", "grants", "inbox", "menu", "pages", "public"]
