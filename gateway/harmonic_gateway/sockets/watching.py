"""Watches whether a client that is behind still reads, even if it answers pings."""

import asyncio
from typing import Protocol

from harmonic_gateway.sockets.kernel import ReadingProgress
from harmonic_gateway.sockets.limits import LOOK_INTERVAL_S


class Sent(Protocol):
    """The packets that are sent to the client."""

    def is_done(self) -> bool:
        """Whether the watch may end."""


class Watched(Protocol):
    """The owner of the watched client."""

    def stalled(self) -> None:
        """The client reads nothing of the waiting bytes: it is to be given up."""


class ReadingWatch:
    """Checks at intervals whether a client that is behind still reads, until it has caught up."""

    __slots__ = ("_client", "_sent", "_timeout_s", "_transport", "intake")

    def __init__(
        self, sent: Sent, client: Watched, transport: asyncio.Transport, timeout_s: float
    ) -> None:
        self._client = client
        self._sent = sent
        self._transport = transport
        self._timeout_s = timeout_s
        loop = asyncio.get_running_loop()
        self.intake = ReadingProgress(transport, loop.time())
        loop.call_later(LOOK_INTERVAL_S, self._look)

    def _look(self) -> None:
        if self._transport.is_closing() or self._sent.is_done():
            return
        loop = asyncio.get_running_loop()
        if self.intake.rests_s(loop.time()) < self._timeout_s:
            loop.call_later(LOOK_INTERVAL_S, self._look)
        else:
            self._client.stalled()
