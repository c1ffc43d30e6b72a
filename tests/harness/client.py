"""A client that one can talk through: it says things, and hears what comes of them."""

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any, Self

import aiohttp
import socketio

#: How long to wait for something that is to come. Generous: machines are slow at times.
PATIENCE_S = 20.0


_kinds = itertools.count(1)


class Silence(AssertionError):
    """What was to be heard did not come."""


class Listener:
    """Keeps all that a user's client was sent, in order, and waits for what is to come."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.heard: list[tuple[str, Any]] = []
        self._read = 0
        self._news = asyncio.Condition()

    async def hears(self, event: str, **fields: Any) -> dict[str, Any]:
        """The next event of that name with these fields; what comes before it is passed over."""
        return await self._next(event, fields, strictly=False)

    async def hears_next(self, event: str, **fields: Any) -> dict[str, Any]:
        """The very next event, which must be of that name and have these fields."""
        return await self._next(event, fields, strictly=True)

    async def hears_up_to(self, seq: int) -> dict[str, Any]:
        """The event of that number, whatever it is, with all before it passed over."""
        for _, data in self.heard[: self._read]:
            if _holds(data, {"seq": seq}):
                heard: dict[str, Any] = data
                return heard
        return await self._next(None, {"seq": seq}, strictly=False)

    def all_heard(self, *events: str) -> list[dict[str, Any]]:
        """All that was heard so far of events of these names."""
        return [data for name, data in self.heard if name in events]

    async def _next(
        self, event: str | None, fields: Mapping[str, Any], *, strictly: bool
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(PATIENCE_S), self._news:
                while True:
                    while self._read < len(self.heard):
                        name, data = self.heard[self._read]
                        self._read += 1
                        if event in (None, name) and _holds(data, fields):
                            found: dict[str, Any] = data
                            return found
                        if strictly:
                            raise Silence(f"{self.user} heard {name} {data}, not {event} {fields}")
                    await self._news.wait()
        except TimeoutError:
            awaited = f"{event or 'anything'} {dict(fields)}"
            raise Silence(f"{self.user} did not hear {awaited}; last: {self.heard[-5:]}") from None

    async def _hear(self, event: str, *args: Any) -> None:
        async with self._news:
            self.heard.append((event, args[0] if args else None))
            self._news.notify_all()


class Client(Listener):
    """The official Python client, with all that it was sent in order."""

    def __init__(
        self,
        user: str,
        namespace: str = "/ws",
        http: aiohttp.ClientSession | None = None,
    ) -> None:
        super().__init__(user)
        self.namespace = namespace
        self.refusal: Any = None
        self._client = socketio.AsyncClient(reconnection=False, http_session=http)
        self._client.on("*", self._hear, namespace=namespace)
        self._client.on("connect_error", self._refused, namespace=namespace)
        self._client.on("disconnect", self._gone, namespace=namespace)
        self.gone = asyncio.Event()

    async def connect(
        self,
        url: str,
        token: str | None,
        *,
        transports: list[str] | None = None,
        headers: Mapping[str, str] | None = None,
        query: str = "",
        comes_back: bool = False,
    ) -> Self:
        """Connect with a token in ``auth``; raise socketio's ``ConnectionError`` if refused.

        Each client is of a kind of its own, so that none takes over what another of its user
        left behind, unless it ``comes_back`` to where another such client was.
        """
        kind = {} if comes_back else {"User-Agent": f"Python, client {next(_kinds)} of the tests"}
        await self._client.connect(
            url + query,
            auth=None if token is None else {"token": token},
            namespaces=[self.namespace],
            transports=transports or ["websocket"],
            headers={**kind, **(headers or {})},
            wait_timeout=PATIENCE_S,
        )
        return self

    async def close(self) -> None:
        """Disconnect, as a closed tab does."""
        await self._client.disconnect()

    async def vanishes(self) -> None:
        """Lose the connection without a word, as a broken network does."""
        self._client.eio.ws._response.connection.transport.abort()
        await self.gone.wait()

    async def says(self, event: str, *args: Any, **fields: Any) -> None:
        """Emit an event with its fields, or with arguments as they are, which may be none."""
        await self._client.emit(event, fields or args, namespace=self.namespace)

    async def says_raw(self, packet: str | bytes) -> None:
        """Send a packet as it stands, whatever a proper client would say."""
        websocket = self._client.eio.ws
        if isinstance(packet, bytes):
            await websocket.send_bytes(packet)
        else:
            await websocket.send_str(packet)

    async def asks(self, event: str, *args: Any, **fields: Any) -> dict[str, Any]:
        """Emit an event and wait for its ack."""
        answer: dict[str, Any] = await self._client.call(
            event, fields or args, namespace=self.namespace, timeout=PATIENCE_S
        )
        return answer

    async def joins(self, universe: str, mode: str = "edit") -> dict[str, Any]:
        """Join a room and hear that one is in."""
        await self.says("join_room", universeId=universe, mode=mode)
        return await self.hears("room_joined", universeId=universe)

    async def _refused(self, data: Any) -> None:
        self.refusal = data

    async def _gone(self, *_: Any) -> None:
        self.gone.set()


def _holds(data: Any, fields: Mapping[str, Any]) -> bool:
    return all(data.get(name) == value for name, value in fields.items())
