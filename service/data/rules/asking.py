"""What a data request may say in its query: which version."""

import ipaddress
import re

from service.base.i18n import N_
from service.data.rules.refusals import BadParameter

VERSION_SHAPE = N_("version 与 as_of 应为版本号（正整数），只用其一。")


def version_of(version: str | None, as_of: str | None) -> tuple[int | None, int | None]:
    """Return (version, as of) as numbers, at most one of them given; BadParameter for anything else."""
    if version is not None and as_of is not None:
        raise BadParameter(VERSION_SHAPE)
    return _number(version), _number(as_of)


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise BadParameter(VERSION_SHAPE)
    return int(text)


def network_of(address: str | None) -> str | None:
    """Return the network that an address lies in, /24 or /48: near enough to know a place again, too wide for a person.

    None for what is no address.
    """
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    width = 24 if found.version == 4 else 48
    return str(ipaddress.ip_network((found, width), strict=False))
