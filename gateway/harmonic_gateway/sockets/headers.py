"""What is kept of a request's headers while its client is connected, and what is not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from aiohttp import web

from harmonic_gateway.sockets.limits import ADDRESS

#: Who a client is, and what it can read.
KEPT = (
    *("Authorization", "User-Agent", "Origin"),
    *("Sec-WebSocket-Extensions", "Accept-Encoding"),
)


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that are looked at again after the request."""
    return {name: value for name in KEPT if (value := headers.get(name)) is not None}


@dataclass(slots=True)
class Beginning:
    """What is kept of the request that a session began with; ``address`` is its client's."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    address: str

    @classmethod
    def of(cls, request: web.Request) -> Self:
        """What is kept of a request."""
        address = request.get(ADDRESS) or request.remote or ""
        return cls(kept(request.headers), request.query, address)
