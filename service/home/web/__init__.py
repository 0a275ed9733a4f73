"""Pages that join nouns: home, dataset, its versions, grants, refused requests, inbox, public register."""

from service.home.web import (
    dataset,
    grants,
    help,
    inbox,
    menu,
    public,
    recalls,
    register,
    requests,
    uploads,
    usage,
    versions,
)  # fmt: skip
from service.home.web.parts import pages

__all__ = [
    "dataset", "grants", "help", "inbox", "menu", "pages", "public", "recalls", "register", "requests", "uploads",
    "usage", "versions",
]  # fmt: skip
