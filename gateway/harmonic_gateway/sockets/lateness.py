"""Limits the time until a client connects to a namespace, and the number of late clients.

A client connects to a namespace once it has its user's token, which it may have to fetch first. The
number of clients that take long is bounded for each address, since unused connections cost memory.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from harmonic_gateway.sockets import limits


class LateClients:
    """Counts late clients by address, at most ``most_per_address`` of each.

    ``given_up`` counts the clients that did not connect in time.
    """

    def __init__(self, most_per_address: int) -> None:
        self._most = most_per_address
        self._late: Counter[str] = Counter()
        self.given_up = 0

    def __len__(self) -> int:
        return self._late.total()

    def takes(self, address: str) -> bool:
        """Count a late client; ``False`` if its address has too many."""
        if self._late[address] >= self._most:
            return False
        self._late[address] += 1
        return True

    def leaves(self, address: str) -> None:
        """Stop counting a client that has connected, or has gone."""
        self._late[address] -= 1
        if not self._late[address]:
            del self._late[address]


class Expectation:
    """Gives up a client that is in no namespace for too long."""

    __slots__ = ("_address", "_clients", "_give_up", "_is_late", "_timer")

    def __init__(self, clients: LateClients, address: str, give_up: Callable[[], None]) -> None:
        self._clients = clients
        self._address = address
        self._give_up = give_up
        self._is_late = False
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Start the timer: the client is in no namespace."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(limits.HANDSHAKE_TIMEOUT_S, self._late)

    def met(self) -> None:
        """Stop the timer: the client is in a namespace, or gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_late:
            self._is_late = False
            self._clients.leaves(self._address)

    def _late(self) -> None:
        self._is_late = self._clients.takes(self._address)
        if not self._is_late:
            self._end()
            return
        left_s = limits.LATE_TIMEOUT_S - limits.HANDSHAKE_TIMEOUT_S
        self._timer = asyncio.get_running_loop().call_later(left_s, self._end)

    def _end(self) -> None:
        self._clients.given_up += 1
        self._give_up()
