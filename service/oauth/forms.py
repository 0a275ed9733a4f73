"""Forms of the clients' pages."""

from typing import Annotated

from pydantic import StringConstraints

from service.base.forms import Form, OneLine


class ClientForm(Form):
    """A new system of the unit.  `key` is the form's own: the same form sent twice makes one system."""

    name: Annotated[OneLine, StringConstraints(min_length=2, max_length=60)]
    key: Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{26}$")] | None = None


class ReplaceForm(Form):
    """The secret that is to be replaced, by its fingerprint; and the grant's page to go back to."""

    fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")] | None = None
    grant: Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{26}$")] | None = None


class AllowForm(Form):
    """An existing system that is to use one more grant."""

    client_id: Annotated[str, StringConstraints(pattern=r"^c-[0-9a-z]{26}$")]
