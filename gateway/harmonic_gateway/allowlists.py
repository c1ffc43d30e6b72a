"""Lists that operators write, separated by commas: web pages' origins, and networks."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

#: Stands for all origins.
ANY = "*"
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s,]+")


def origins(text: str) -> frozenset[str]:
    """The origins of a list; ``ValueError`` if one is none."""
    found = frozenset(part.strip().lower() for part in text.split(",") if part.strip())
    for origin in found - {ANY}:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError("must list origins as scheme://host:port, separated by commas, or *")
    return found


def networks(text: str) -> tuple[Network, ...]:
    """The networks of a list; ``ValueError`` if one is none."""
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError("must list networks as 10.0.0.0/8, separated by commas") from error
