"""A connection that keeps its ``pid`` and ``offset``, as the official JavaScript client does."""

import asyncio
import json
import socket
from typing import Any

import aiohttp

from harness.client import PATIENCE_S
from harness.world import World

PATH = "/socket.io/?EIO=4&transport=websocket"


class Wire:
    """A connection as the official JavaScript client has it, with its ``pid`` and ``offset``."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._websocket = websocket
        self.pid: str | None = None
        self.recovered = False
        self.offset: str | None = None
        self.refusal: Any = None
        self.user, self.agent = "", ""

    @classmethod
    async def open(
        cls,
        world: World,
        user: str,
        *,
        gateway: int = 0,
        pid: str | None = None,
        offset: str | None = None,
        agent: str = "a browser",
    ) -> "Wire":
        url = world.stack.urls[gateway] + PATH
        wire = cls(await world.http.ws_connect(url, headers={"User-Agent": agent}))
        wire.offset, wire.user, wire.agent = offset, user, agent
        await wire._websocket.receive_str(timeout=PATIENCE_S)
        auth: dict[str, Any] = {"token": world.token(user)}
        if pid is not None:
            auth |= {"pid": pid}
            if offset is not None:
                auth |= {"offset": offset}
        await wire._websocket.send_str("40/ws," + json.dumps(auth))
        answer = await wire._packet()
        assert answer.startswith("0/ws,"), answer
        said = json.loads(answer[5:])
        wire.pid, wire.recovered = said["pid"], said["pid"] == pid
        return wire

    async def again(self, world: World, *, gateway: int = 0) -> "Wire":
        """The same client over a new connection, with what it knows of the one before."""
        return await Wire.open(
            world,
            self.user,
            gateway=gateway,
            pid=self.pid,
            offset=self.offset,
            agent=self.agent,
        )

    async def hears(self) -> tuple[str, Any]:
        """The next event."""
        while True:
            packet = await self._packet()
            if packet.startswith("2/ws,"):
                name, data, *offset = json.loads(packet[5:])
                if offset:
                    self.offset = offset[0]
                return name, data

    async def until(self, name: str) -> list[tuple[str, Any]]:
        """All events up to the next one of a name."""
        events = [await self.hears()]
        while events[-1][0] != name:
            events.append(await self.hears())
        return events

    async def says(self, name: str, **fields: Any) -> None:
        await self._websocket.send_str("42/ws," + json.dumps([name, fields]))

    async def joins(self, universe: str, mode: str = "edit") -> list[tuple[str, Any]]:
        await self.says("join_room", universeId=universe, mode=mode)
        return await self.until("room_joined")

    async def is_let_into(self, universe: str) -> bool:
        """Ask to join a room; whether it has joined, and was not refused."""
        await self.says("join_room", universeId=universe, mode="edit")
        while True:
            name, _ = await self.hears()
            if name in {"room_joined", "room_error"}:
                return name == "room_joined"

    def stops_reading(self, kernel_bytes: int) -> None:
        """Read nothing from now on, beyond what the kernel may hold."""
        kernel = self._websocket.get_extra_info("socket")
        assert kernel is not None
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, kernel_bytes)
        self._transport().pause_reading()

    def reads_on(self) -> None:
        """Read again."""
        self._transport().resume_reading()

    def _transport(self) -> asyncio.Transport:
        connection = self._websocket._conn
        transport = None if connection is None else connection.transport
        assert isinstance(transport, asyncio.Transport)
        return transport

    def cut(self) -> None:
        """Lose the connection without a word."""
        connection = self._websocket._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()

    async def says_goodbye(self, goodbye: str | int) -> None:
        """End by a packet, or by closing the WebSocket with a code."""
        if isinstance(goodbye, str):
            await self._websocket.send_str(goodbye)
        else:
            await self._websocket.close(code=goodbye)

    async def _packet(self) -> str:
        while True:
            text = await self._websocket.receive_str(timeout=PATIENCE_S)
            if text == "2":
                await self._websocket.send_str("3")
            else:
                return text[1:]
