"""The one gate: who asks, for what, whether now, how much; and what was read, written down."""

from service.data.gate.admission import ENOUGH, admit, apply_url, still_open
from service.data.gate.asking import Admitted, Asked, Known, Visitor
from service.data.gate.own import own_grants
from service.data.gate.quota import Meter, charge, enter, settle_lapsed
from service.data.gate.signing import link_of

__all__ = [
    "ENOUGH", "Admitted", "Asked", "Known", "Meter", "Visitor", "admit", "apply_url", "charge", "enter", "link_of",
    "own_grants", "settle_lapsed", "still_open",
]  # fmt: skip
