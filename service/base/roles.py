"""The roles: words that rules may know (base.access guards the views with them)."""

from enum import StrEnum


class Role(StrEnum):
    """What a person may be.  PUBLIC is everybody; CLIENT is a unit's system with its own credential or token."""

    PUBLIC = "public"
    CLIENT = "client"
    APPLICANT = "applicant"
    MANAGER = "manager"
    STEWARD = "steward"
    AUTHORITY = "authority"
    AUDITOR = "auditor"
    OPERATOR = "operator"


PERSONS = frozenset(Role) - {Role.PUBLIC, Role.CLIENT}
OFFICERS = frozenset({Role.STEWARD, Role.AUTHORITY})
FIRM = frozenset({Role.APPLICANT, Role.MANAGER})
READERS = FIRM | OFFICERS | {Role.AUDITOR}  # of cases and grants; whose they may see the rules say
