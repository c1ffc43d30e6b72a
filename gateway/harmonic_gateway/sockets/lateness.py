"""How long a client may take until it is in a namespace, and how many may take long.

A client connects to a namespace once its user's token is there, for which an application may have
to ask. Clients that take longer than most are bounded in number for each address: connections that
nobody uses cost memory.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from harmonic_gateway.sockets import limits


class LateClients:
    """Counts the clients that take long, by their address; at most so many of each.

    ``given_up`` counts those that did not come in time.
    """

    def __init__(self, most_per_address: int) -> None:
        self._most = most_per_address
        self._late: Counter[str] = Counter()
        self.given_up = 0

    def __len__(self) -> int:
        return self._late.total()

    def takes(self, address: str) -> bool:
        """Count another client, if it may be late."""
        if self._late[address] >= self._most:
            return False
        self._late[address] += 1
        return True

    def leaves(self, address: str) -> None:
        """A client that was late is late no more, or gone."""
        self._late[address] -= 1
        if not self._late[address]:
            del self._late[address]


class Expectation:
    """Gives a client up that is in no namespace for too long."""

    __slots__ = ("_address", "_clients", "_give_up", "_is_late", "_timer")

    def __init__(self, clients: LateClients, address: str, give_up: Callable[[], None]) -> None:
        self._clients = clients
        self._address = address
        self._give_up = give_up
        self._is_late = False
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """The client is in no namespace."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(limits.HANDSHAKE_TIMEOUT_S, self._late)

    def met(self) -> None:
        """The client is in a namespace, or gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_late:
            self._is_late = False
            self._clients.leaves(self._address)

    def _late(self) -> None:
        left_s = limits.LATE_TIMEOUT_S - limits.HANDSHAKE_TIMEOUT_S
        self._is_late = left_s > 0 and self._clients.takes(self._address)
        if not self._is_late:
            self._end()
            return
        self._timer = asyncio.get_running_loop().call_later(left_s, self._end)

    def _end(self) -> None:
        self._clients.given_up += 1
        self._give_up()
