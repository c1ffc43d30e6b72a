"""The part of a request that is kept while its client is connected."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from aiohttp import web

from harmonic_gateway.sockets.limits import ADDRESS

#: Headers that identify a client, or tell what it can read.
KEPT = (
    *("Authorization", "User-Agent", "Origin"),
    *("Sec-WebSocket-Extensions", "Accept-Encoding"),
)


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that are read again after the request."""
    return {name: value for name in KEPT if (value := headers.get(name)) is not None}


@dataclass(slots=True)
class Beginning:
    """The kept part of the request that began a session; ``address`` is its client's."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    address: str

    @classmethod
    def of(cls, request: web.Request) -> Self:
        """The kept part of a request."""
        address = request.get(ADDRESS) or request.remote or ""
        return cls(kept(request.headers), request.query, address)
