"""What the notices' page sends."""

from pydantic import AwareDatetime

from service.base.forms import Form


class ReadAllForm(Form):
    """Everything up to and including the newest notice that the list showed."""

    until: AwareDatetime
