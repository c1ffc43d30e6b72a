"""Members with the official Python client, whose handlers take one argument, as most do."""

import asyncio
import time
from functools import partial
from typing import Any

import socketio

from harness.client import PATIENCE_S

_FRAMES = ("physics_updated", "music_updated", "visualization_updated", "music_generated")


class PythonMember:
    """A client that comes back by itself, and leaves it to the server what follows from that.

    ``notes`` are like those of ``members.mjs``.
    """

    def __init__(self, user: str, token: str, universe: str) -> None:
        self.user = user
        self.notes: list[list[Any]] = []
        self.values: dict[str, Any] = {}
        self._token = token
        self._universe = universe
        self._client = socketio.AsyncClient(reconnection_delay=0.5, reconnection_delay_max=1)
        self._seq = 0
        self._awaited_seq: int | None = None
        self._arrived = asyncio.Event()
        self._back = asyncio.Event()
        self._is_lost = False
        self._on("connect_success", self._greeted)
        self._on("room_joined", self._joined)
        self._on("state_recovered", self._recovered)
        for name in ("error", "room_error"):
            self._on(name, partial(self._failed, name))
        for name in _FRAMES:
            self._on(name, partial(self._frame, name))
        self._client.on("disconnect", self._lost, namespace="/ws")

    async def comes(self, url: str) -> None:
        """Connect and join."""
        await self._client.connect(
            url, auth={"token": self._token}, namespaces=["/ws"], transports=["websocket"]
        )
        said = {"universeId": self._universe, "mode": "view"}
        await self._client.call("join_room", said, namespace="/ws")

    async def is_back(self) -> None:
        """Return when it has lost its connection, and has another one."""
        async with asyncio.timeout(PATIENCE_S):
            await self._back.wait()
        self._back.clear()

    async def comes_to(self, seq: int) -> None:
        """Return when it has been sent the frame of that number."""
        self._awaited_seq = seq
        if self._seq < seq:
            async with asyncio.timeout(PATIENCE_S):
                await self._arrived.wait()

    async def goes(self) -> None:
        """Disconnect for good."""
        await self._client.shutdown()

    def _on(self, name: str, handler: Any) -> None:
        self._client.on(name, handler, namespace="/ws")

    def _note(self, *entry: Any) -> None:
        self.notes.append([int(time.time() * 1000), *entry])

    def _greeted(self, data: dict[str, Any]) -> None:
        self._note("connect", None, True)
        self._note("connect_success", data["recovered"])
        if self._is_lost:
            self._is_lost = False
            self._back.set()

    def _joined(self, data: dict[str, Any]) -> None:
        self.values = dict(data["parameters"])
        self._note("room_joined", data["universeId"], data["seq"], data.get("fromSeq"))

    def _recovered(self, data: dict[str, Any]) -> None:
        self._note("state_recovered", data["universeId"], data["recovered"], data["missed"])

    def _frame(self, name: str, data: dict[str, Any]) -> None:
        kind = name.removesuffix("_updated")
        if kind in self.values:
            self.values[kind] = data["parameters"]
        if "current" in data:
            return
        self._seq = max(self._seq, data["seq"])
        if self._awaited_seq is not None and self._seq >= self._awaited_seq:
            self._arrived.set()
        self._note("frame", data["universeId"], data["seq"], name, data["timestamp"], None)

    def _failed(self, name: str, data: object) -> None:
        self._note("error", name, data)

    def _lost(self, reason: str) -> None:
        self._note("disconnect", reason)
        self._is_lost = True
