"""Listening on an address; on that of all addresses, with IPv4 and IPv6."""

import socket
import ssl

from aiohttp import web

#: The address of all interfaces. asyncio would serve IPv6 alone there.
ALL_INTERFACES = "::"
DEFAULT_BACKLOG = 128


async def start_site(
    runner: web.AppRunner,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    backlog: int = DEFAULT_BACKLOG,
) -> int:
    """Serve a runner's application on an address, and return the port.

    ``port`` 0 takes any. ``backlog`` is how many connections may wait to be accepted. Raise
    ``OSError`` if the address is taken.
    """
    site: web.BaseSite
    if host == ALL_INTERFACES and socket.has_dualstack_ipv6():
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True
        )
        site = web.SockSite(runner, listener, ssl_context=tls, backlog=backlog)
    else:
        site = web.TCPSite(runner, host, port, ssl_context=tls, backlog=backlog)
    await site.start()
    found: int = runner.addresses[0][1]
    return found
