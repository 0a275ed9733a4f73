"""Forms of the clients' pages."""

from typing import Annotated

from pydantic import StringConstraints

from service.base.forms import Form, OneLine


class ClientForm(Form):
    """A new system of the unit."""

    name: Annotated[OneLine, StringConstraints(min_length=2, max_length=60)]


class AllowForm(Form):
    """An existing system that is to use one more grant."""

    client_id: Annotated[str, StringConstraints(pattern=r"^c-[0-9a-z]{26}$")]
