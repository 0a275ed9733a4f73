"""Pages that join nouns: home, dataset, grants, refused requests, inbox, public register."""

from service.home.web import dataset, grants, help, inbox, menu, public, register, requests
from service.home.web.parts import pages

__all__ = ["dataset", "grants", "help", "inbox", "menu", "pages", "public", "register", "requests"]
