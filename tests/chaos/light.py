"""A client that costs little: hundreds of them fit beside the product on one machine."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Self

import aiohttp

#: How long a handshake may take: above what a gateway needs under load.
CONNECT_TIMEOUT_S = 10.0
#: A command that is not answered by then is not answered; the gateway gives up long before.
ANSWER_TIMEOUT_S = 8.0
_NAMESPACE = "/ws"
_PING, _PONG = "2", "3"
_CONNECTED = f"40{_NAMESPACE},"
_EVENT = f"42{_NAMESPACE},"
_ACK = f"43{_NAMESPACE},"


class NotConnected(Exception):
    """The gateway is not there, or does not take anybody now."""


class LightClient:
    """A connection; ``hear`` is called with each event's name and data, in order."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, hear: Callable[[str, Any], None]
    ) -> None:
        self._socket = socket
        self._hear = hear
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._asked = 0
        self._outbox: asyncio.Queue[str | None] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self.lost = asyncio.Event()

    @classmethod
    async def connect(
        cls, http: aiohttp.ClientSession, url: str, token: str, hear: Callable[[str, Any], None]
    ) -> Self:
        """Raise :class:`NotConnected` where that is not possible now."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                socket = await http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket")
                client = cls(socket, hear)
                await socket.receive_str()
                await socket.send_str(_CONNECTED + json.dumps({"token": token, "recovery": 0}))
                answer = await socket.receive_str()
        except (aiohttp.ClientError, OSError, TimeoutError, TypeError) as error:
            raise NotConnected(str(error)) from error
        if not answer.startswith(_CONNECTED):
            raise NotConnected(answer)
        client._tasks = [asyncio.create_task(work) for work in (client._read(), client._write())]
        return client

    def post(self, event: str, **fields: Any) -> asyncio.Future[Any]:
        """Send a command now; its ack, or ``None`` if the connection is lost before."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.lost.is_set() or self._socket.closed:
            answer.set_result(None)
            return answer
        self._asked += 1
        self._answers[self._asked] = answer
        self._outbox.put_nowait(f"{_EVENT}{self._asked}{json.dumps([event, fields])}")
        return answer

    async def ask(self, event: str, **fields: Any) -> dict[str, Any] | None:
        """Send a command and wait; ``None`` where no answer comes."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                answer: dict[str, Any] | None = await self.post(event, **fields)
                return answer
        except TimeoutError:
            return None

    async def close(self) -> None:
        """Disconnect, as a closed tab does."""
        await self._socket.close()
        await asyncio.gather(*self._tasks)

    async def _write(self) -> None:
        try:
            while (text := await self._outbox.get()) is not None:
                await self._socket.send_str(text)
        except (aiohttp.ClientError, OSError):
            self._lose()

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    continue
                text: str = message.data
                if text == _PING:
                    self._outbox.put_nowait(_PONG)
                elif text.startswith(_EVENT):
                    name, data, *_ = json.loads(text[len(_EVENT) :])
                    self._hear(name, data)
                elif text.startswith(_ACK):
                    number, bracket, rest = text[len(_ACK) :].partition("[")
                    answer = self._answers.pop(int(number), None)
                    if answer is not None and not answer.done():
                        answer.set_result(json.loads(bracket + rest)[0])
        finally:
            self._lose()

    def _lose(self) -> None:
        self.lost.set()
        self._outbox.put_nowait(None)
        answers, self._answers = self._answers, {}
        for answer in answers.values():
            if not answer.done():
                answer.set_result(None)
