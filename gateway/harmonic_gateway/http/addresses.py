"""Where a request comes from: its peer, or what proxies say that are trusted to tell the truth."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import islice
from typing import TypeAlias

from aiohttp.web import BaseRequest

from harmonic_gateway.allowlists import Network

_Address: TypeAlias = IPv4Address | IPv6Address

#: A customer has a network of at least this size in IPv6: its addresses are counted as one.
_COUNTED_PREFIX_V6 = 64
#: More proxies than these are not in a row: what further addresses say is not looked at.
MAX_HOPS = 10
#: An address with its port is shorter: what is longer is none.
MAX_ADDRESS_LENGTH = 80
#: Texts that were parsed, and are remembered: clients and proxies ask again and again.
MAX_REMEMBERED = 4096
_FORWARDED_FOR = "X-Forwarded-For"
#: Where guests get their tokens, as often as an address may open sessions.
GUEST_TOKENS_PATH = "/guest-tokens"


def client_address(request: BaseRequest, trusted: Sequence[Network]) -> str:
    """The address of the client, as far as it can be known; empty if nothing is.

    Each proxy appends the address that it was asked from. So the list is read from its end, and
    only as long as a trusted proxy says it: what comes before may be made up by anybody.
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
    """What an address is counted as: an IPv6 one as its network of 64 bits, any other as itself."""
    # Without a colon it is none of IPv6, and most are not.
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
    """An address as it is usually written; what is none, as it is."""
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
    # A socket for both kinds shows IPv4 addresses in IPv6's clothes.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
