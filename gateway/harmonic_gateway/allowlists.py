"""Reads comma-separated lists of operators: origins, the gateway's addresses, networks."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeAlias
from urllib.parse import urlsplit

Network: TypeAlias = IPv4Network | IPv6Network

#: Stands for all origins.
ANY = "*"
#: Origins without a host: of sandboxed frames and redirects, and of pages in local files.
_NAMED = frozenset({"null", "file://"})
_HOST = r"(?:\*\.)?[a-z0-9._-]+|\[[0-9a-f:.]+\]"
_ORIGIN = re.compile(rf"([a-z][a-z0-9+.-]*)://({_HOST})(?::(\d{{1,5}}))?")
#: WebSocket clients name the same origin by another scheme.
_SAME_SCHEME = {"ws": "http", "wss": "https"}
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def origins(text: str) -> frozenset[str]:
    """The origins of a comma-separated list, in their normal form.

    ``https://*.app.example`` stands for all hosts below ``app.example``. Raise ``ValueError`` for
    an entry that is not an origin.
    """
    found = frozenset(normal_origin(part) for part in text.split(",") if part.strip())
    if "" in found:
        raise ValueError(
            "must list origins as scheme://host:port, https://*.host, null or file://,"
            " separated by commas, or *"
        )
    return found


def own_origins(text: str) -> frozenset[str]:
    """The origins of the gateway's own addresses, a comma-separated list of URLs that clients use.

    Raise ``ValueError`` for an entry that is not an address.
    """
    found = set()
    for part in text.split(","):
        if part.strip():
            url = urlsplit(part.strip())
            origin = normal_origin(f"{url.scheme}://{url.netloc}")
            if not origin or ANY in origin or url.scheme not in (*_DEFAULT_PORTS, *_SAME_SCHEME):
                raise ValueError("must list addresses as https://host:port, separated by commas")
            found.add(origin)
    return frozenset(found)


def normal_origin(origin: str) -> str:
    """An origin in lower case, without its default port, and with ``http`` in place of ``ws``.

    Empty for a text that is not an origin.
    """
    origin = origin.strip().lower()
    if origin == ANY or origin in _NAMED:
        return origin
    parts = _ORIGIN.fullmatch(origin)
    if parts is None:
        return ""
    scheme, host, port = parts.groups()
    scheme = _SAME_SCHEME.get(scheme, scheme)
    if port is None or port == _DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{port}"


def networks(text: str) -> tuple[Network, ...]:
    """The networks of a list; raise ``ValueError`` for an entry that is not a network."""
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError("must list networks as 10.0.0.0/8, separated by commas") from error
