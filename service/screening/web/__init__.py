"""The negative lists as pages, and the words of verdicts for every page that shows one."""

from service.screening.web import lists
from service.screening.web.words import pages

__all__ = ["lists", "pages"]
