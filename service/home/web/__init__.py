"""Pages that join nouns: home, dataset, grants, refused requests, inbox, public register."""

from service.home.web import dataset, grants, inbox, menu, public, requests
from service.home.web.parts import pages

__all__ = ["dataset", "grants", "inbox", "menu", "pages", "public", "requests"]
