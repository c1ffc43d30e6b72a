"""A client that comes back as the official one does, at next to no cost."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

from load.client import NAMESPACE, LoadClient

#: The official client's: attempts, and seconds before the first and at most before any.
ATTEMPTS = 10
FIRST_DELAY_S, MOST_DELAY_S = 1.0, 5.0
#: It gives a single attempt up after so long.
CONNECT_TIMEOUT_S = 20.0
_JITTER = 0.5
_CONNECTED = f"40{NAMESPACE},".encode()
_EVENT = f"42{NAMESPACE},".encode()
_OPEN = b"0"
_CURRENT = "current"


class ReturningClient(LoadClient):
    """A member of one room that keeps its place, and takes it up again after it was cut off.

    ``hear`` is called with the name and the data of each numbered frame, the first of which
    follow ``joined_seq``. ``recovered`` says whether nothing was missing at the latest return,
    ``attempts`` how often it tried in vain.
    """

    def __init__(
        self,
        token: str,
        universe: str,
        *,
        hear: Callable[[str, dict[str, Any]], None] = lambda _name, _data: None,
        on_lost: Callable[["ReturningClient"], None] = lambda _client: None,
    ) -> None:
        super().__init__(token, universe, lambda: None)
        self.pid: str | None = None
        self.offset: str | None = None
        self.recovered = False
        self.attempts = 0
        self.joined_seq = 0
        self._hear = hear
        self._on_lost = on_lost
        self._back: asyncio.Future[None] | None = None

    def cut(self) -> None:
        """Lose the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    async def come_back(self, port: int) -> None:
        """Connect once; return when all that was missed has come.

        Raise ``OSError`` if that fails: also for a connection that ends before.
        """
        self._open, self._unread = False, b""
        self.gone = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._back = loop.create_future()
        await loop.create_connection(lambda: self, "127.0.0.1", port)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._back
        except TimeoutError:
            self.cut()
            raise

    async def keep_trying(self, port: int) -> bool:
        """Come back as the official client does with its defaults; ``False`` if it gives up."""
        for attempt in range(ATTEMPTS):
            delay_s = min(FIRST_DELAY_S * 2**attempt, MOST_DELAY_S)
            await asyncio.sleep(delay_s * random.uniform(1 - _JITTER, 1 + _JITTER))
            try:
                await self.come_back(port)
                return True
            except OSError:
                self.attempts += 1
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        self._transport = None
        if self._back is not None and not self._back.done():
            self._back.set_exception(ConnectionResetError("lost before it was back"))
        elif self.joined.done() and not self._leaving:
            self._on_lost(self)
        elif not self._leaving:
            super().connection_lost(exc)

    def _fail(self, reason: bytes) -> None:
        # A server that stops says so, or takes nobody in: that is what coming back is for.
        if self.joined.done() and not self.joined.exception():
            self.cut()
        else:
            super()._fail(reason)

    def _packet(self, data: bytes, start: int, end: int) -> None:
        if data.startswith(_OPEN, start):
            said: dict[str, object] = {"token": self._token}
            if self.pid is not None:
                said |= {"pid": self.pid}
                said |= {} if self.offset is None else {"offset": self.offset}
            self._send(f"40{NAMESPACE}," + json.dumps(said))
        elif data.startswith(_CONNECTED, start):
            pid = json.loads(data[start + len(_CONNECTED) : end])["pid"]
            self.recovered, self.pid = pid == self.pid, pid
            if not self.recovered:
                self.emit("join_room", {"universeId": self._universe, "mode": "edit"})
        elif data.startswith(_EVENT, start):
            self._event(*json.loads(data[start + len(_EVENT) : end]))
        else:
            super()._packet(data, start, end)

    def _event(self, name: str, fields: dict[str, Any], *offset: str) -> None:
        if offset:
            self.offset = offset[0]
        if name == "room_joined" and not self.joined.done():
            self.joined_seq = fields["seq"]
            self.joined.set_result(None)
        elif name == "state_recovered" or (name == "room_joined" and not self.recovered):
            if self._back is not None and not self._back.done():
                self._back.set_result(None)
        elif name in ("error", "room_error"):
            super()._fail(json.dumps([name, fields]).encode())
        elif "seq" in fields and _CURRENT not in fields:
            self._hear(name, fields)
