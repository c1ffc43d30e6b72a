"""The client's address of a request: its peer's, or the one that trusted proxies forward."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import islice
from typing import TypeAlias

from aiohttp.web import BaseRequest

from harmonic_gateway.allowlists import Network

_Address: TypeAlias = IPv4Address | IPv6Address

#: The smallest network of a customer in IPv6, in bits: its addresses are counted as one.
_COUNTED_PREFIX_V6 = 64
#: The longest chain of proxies: further addresses in the list are not read.
MAX_HOPS = 10
#: Longer than any address with its port, in characters.
MAX_ADDRESS_LENGTH = 80
#: Parsed texts that are cached: the same clients and proxies send many requests.
MAX_REMEMBERED = 4096
_FORWARDED_FOR = "X-Forwarded-For"
#: The route of guests' tokens, with the same limit as for opening sessions.
GUEST_TOKENS_PATH = "/guest-tokens"


def client_address(request: BaseRequest, trusted: Sequence[Network]) -> str:
    """The address of the client, as far as it can be determined; empty if it cannot.

    Each proxy appends the address of its own peer. So the list is read from its end, while each
    entry was appended by a trusted proxy. Earlier entries may be forged.
    """
    remote = request.remote or ""
    if not trusted or _FORWARDED_FOR not in request.headers:
        return _as_spelt(remote)
    address = _parse(remote)
    if address is None:
        return remote
    said = ",".join(request.headers.getall(_FORWARDED_FOR, ())).split(",")
    for hop in islice(reversed(said), MAX_HOPS):
        if not any(address in network for network in trusted):
            break
        before = _parse(hop)
        if before is None:
            break
        address = before
    return str(address)


def counted_as(address: str) -> str:
    """The key to count an address by: the 64-bit network for IPv6, else the address itself."""
    # An address without a colon is not IPv6, as most are not.
    found = _parse(address) if ":" in address else None
    if not isinstance(found, IPv6Address):
        return address
    return str(ip_network((found, _COUNTED_PREFIX_V6), strict=False))


def _parse(text: str) -> _Address | None:
    """An address, with or without a port."""
    text = text.strip()
    return _parsed(text) if len(text) <= MAX_ADDRESS_LENGTH else None


@lru_cache(MAX_REMEMBERED)
def _as_spelt(text: str) -> str:
    """The normal form of an address; any other text unchanged."""
    address = _parse(text)
    return text if address is None else str(address)


@lru_cache(MAX_REMEMBERED)
def _parsed(text: str) -> _Address | None:
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A dual-stack socket reports IPv4 addresses as IPv4-mapped IPv6 addresses.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
