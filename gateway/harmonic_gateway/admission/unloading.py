"""Unloads clients to other gateways, at an operator's command.

Each is closed as if its transport had broken. It reconnects by itself, to a gateway that the load
balancer chooses, and resumes its session there.
"""

import asyncio
from collections.abc import Mapping, Sequence, Sized
from typing import Protocol

from harmonic_gateway.membership.session import Session
from harmonic_operated.operated import Operators
from harmonic_protocol.operating import Done, Drain, MoveClients
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.observability.ops import Readiness
from harmonic_runtime.process.lifecycle import Tasks
from harmonic_runtime.process.ticker import spread


class OtherClients(Sized, Protocol):
    """Clients that have no session here."""

    def drain(self) -> None:
        """Unload all of them."""


class Unloading:
    """Closes clients over a time, and refuses new ones meanwhile.

    ``sessions`` are those connected here, in the order in which they connected.
    """

    def __init__(
        self,
        sessions: Mapping[str, Session],
        bus: Bus,
        operators: Operators,
        readiness: Readiness,
        tasks: Tasks,
    ) -> None:
        self._sessions = sessions
        self._bus = bus
        self._readiness = readiness
        self._tasks = tasks
        self._is_drained = False
        self._most: int | None = None
        self._bound_ends_at = 0.0
        self._closing: asyncio.Task[None] | None = None
        self._others: list[OtherClients] = []
        operators.answer(Drain, self.drain)
        operators.answer(MoveClients, self.move)

    def include(self, others: OtherClients) -> None:
        """Count clients without a session as well, and drain them with the others."""
        self._others.append(others)

    def refusal(self) -> str | None:
        """Why no new client is accepted at the moment, if so."""
        if not self._bus.connected:
            return "The server cannot reach its bus"
        if self._is_drained:
            return "This server is being drained"
        is_bound = asyncio.get_running_loop().time() < self._bound_ends_at
        number = len(self._sessions) + sum(map(len, self._others))
        if is_bound and self._most is not None and number >= self._most:
            return "This server has its share of clients"
        return None

    async def drain(self, asked: Drain) -> Done:
        """Unload all clients, or accept clients again."""
        if asked.undo:
            self._stop_closing()
            self._is_drained = False
            self._readiness.resume()
            return Done(connections=len(self._sessions))
        self._is_drained = True
        self._readiness.drain()
        for others in self._others:
            others.drain()
        return self._close(list(self._sessions.values()), asked.over_s)

    async def move(self, asked: MoveClients) -> Done:
        """Unload some clients, the oldest connections first."""
        self._most = asked.most
        self._bound_ends_at = asyncio.get_running_loop().time() + asked.for_s
        return self._close(list(self._sessions.values())[: asked.clients], asked.over_s)

    def _close(self, sessions: Sequence[Session], over_s: float) -> Done:
        self._stop_closing()
        if sessions:
            self._closing = self._tasks.start(_close(sessions, over_s), name="unloading")
        return Done(connections=len(sessions))

    def _stop_closing(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None


async def _close(sessions: Sequence[Session], over_s: float) -> None:
    async for session in spread(sessions, over_s):
        if not session.connection.is_closed():
            session.connection.close()
