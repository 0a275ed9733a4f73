"""Pages of people: login, one's account, one's unit, and the units that wait for an officer."""

from service.people.web import account, login, unit, units
from service.people.web.login import ask_to_log_in
from service.people.web.session import find_caller, pages

__all__ = ["account", "ask_to_log_in", "find_caller", "login", "pages", "unit", "units"]
