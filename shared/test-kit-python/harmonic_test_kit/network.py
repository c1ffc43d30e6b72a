"""The network between clients and a gateway: slow, silent or broken on command."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web

from harmonic_test_kit.script import Script, ScriptedSession

#: Above what the product takes, so that the product refuses it.
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
#: What one direction of a connection holds at most while it is delayed or blocked.
MAX_WAITING_MESSAGES = 10_000
#: Sessions that began by polling, the oldest of which are forgotten.
MAX_SESSIONS = 10_000
#: The separator of packets in a body of HTTP polling.
_SEPARATOR = "\x1e"
#: A request that only reads is given up with its client.
_READING = ("GET", "HEAD")
_MESSAGES = (WSMsgType.TEXT, WSMsgType.BINARY)
#: Headers of one connection, which another one has of its own.
_OF_A_CONNECTION = frozenset(
    {
        *("connection", "keep-alive", "transfer-encoding", "content-length", "upgrade"),
        *("sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"),
    }
)

T = TypeVar("T")
Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


@dataclass
class NetworkConditions:
    """How the network is at the moment, for all that passes."""

    latency_ms: float = 0
    jitter_ms: float = 0
    passing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Everything passes at first."""
        self.passing.set()

    def clear(self) -> None:
        """Let everything pass at once."""
        self.latency_ms = self.jitter_ms = 0
        self.passing.set()

    def arrival(self, after: float) -> float:
        """When a message that is sent now arrives, by the loop's clock; none overtakes another."""
        # It makes tests of clients uneven on purpose; nothing secret comes of it.
        takes_ms = self.latency_ms + random.random() * self.jitter_ms  # noqa: S311
        return max(after, asyncio.get_running_loop().time() + takes_ms / 1000)

    async def pass_at(self, arrival: float) -> None:
        """Return when a message that is under way arrives."""
        await asyncio.sleep(arrival - asyncio.get_running_loop().time())
        await self.passing.wait()


class Network:
    """One gateway's clients come through here, to ``url``."""

    def __init__(self, gateway_url: str, conditions: NetworkConditions, script: Script) -> None:
        self.url = ""
        self._gateway_url = gateway_url
        self._conditions = conditions
        self._script = script
        self._connections: set[asyncio.Transport] = set()
        self._sessions: dict[str, ScriptedSession] = {}

    def cut(self) -> None:
        """Break all connections, without a goodbye."""
        for connection in self._connections:
            connection.abort()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Carry one request, or one WebSocket until its end."""
        connection = request.transport
        if connection is None:
            raise ConnectionResetError
        self._connections.add(connection)
        try:
            await self._conditions.pass_at(self._conditions.arrival(0))
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._websocket(request, connection)
            if request.method in _READING:
                return await self._http(request)
            return await _even_if_left(self._http(request))
        except aiohttp.ClientError:
            # The gateway is gone, or ended the connection: so does this.
            connection.abort()
            return web.Response(status=HTTPStatus.BAD_GATEWAY)
        finally:
            self._connections.discard(connection)

    def _session(self, request: web.Request) -> ScriptedSession:
        sid = request.query.get("sid")
        if sid is None:
            return ScriptedSession(self._script)
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        return self._sessions.setdefault(sid, ScriptedSession(self._script))

    async def _http(self, request: web.Request) -> web.StreamResponse:
        polls = request.query.get("transport") == "polling"
        session = self._session(request)
        body = await request.read()
        if polls and request.method == "POST":
            packets = body.decode().split(_SEPARATOR)
            body = _SEPARATOR.join(map(session.to_gateway, packets)).encode()
        async with (
            aiohttp.ClientSession() as http,
            http.request(
                request.method,
                f"{self._gateway_url}{request.raw_path}",
                data=body or None,
                # What is not compressed can be read on the way.
                headers={**_passed_on(request.headers), "Accept-Encoding": "identity"},
                allow_redirects=False,
            ) as answer,
        ):
            response = web.StreamResponse(
                status=answer.status, reason=answer.reason, headers=_passed_on(answer.headers)
            )
            if polls:
                packets = (await answer.read()).decode().split(_SEPARATOR)
                told = [each for packet in packets for each in session.to_client(packet)]
                await self._conditions.pass_at(self._conditions.arrival(0))
                await response.prepare(request)
                await response.write(_SEPARATOR.join(told).encode())
                return response
            await response.prepare(request)
            arrival = 0.0
            async for chunk in answer.content.iter_any():
                arrival = self._conditions.arrival(arrival)
                await self._conditions.pass_at(arrival)
                await response.write(chunk)
            return response

    async def _websocket(
        self, request: web.Request, connection: asyncio.Transport
    ) -> web.StreamResponse:
        session = self._session(request)
        # A session of its own: when it ends, the gateway's side of the connection ends with it,
        # without a goodbye unless one was said.
        async with aiohttp.ClientSession() as http:
            try:
                gateway = await http.ws_connect(
                    f"{self._gateway_url}{request.raw_path}",
                    headers=_passed_on(request.headers),
                    max_msg_size=MAX_MESSAGE_BYTES,
                )
            except aiohttp.WSServerHandshakeError as refused:
                headers = _passed_on(refused.headers or {})
                return web.Response(status=refused.status, headers=headers)
            client = web.WebSocketResponse(compress=False, max_msg_size=MAX_MESSAGE_BYTES)
            await client.prepare(request)
            if not await _even_if_left(self._carry(session, client, gateway)):
                connection.abort()
            return client

    async def _carry(
        self, session: ScriptedSession, client: web.WebSocketResponse, gateway: Socket
    ) -> bool:
        """Carry messages both ways until one side ends; return whether it said goodbye."""
        ways = {
            asyncio.create_task(
                self._one_way(client, gateway, lambda packet: [session.to_gateway(packet)])
            ),
            asyncio.create_task(self._one_way(gateway, client, session.to_client)),
        }
        try:
            ended, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            return all(way.result() for way in ended)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _one_way(
        self, source: Socket, target: Socket, changed: Callable[[str], list[str]]
    ) -> bool:
        """Carry messages until ``source`` ends; return whether it said goodbye."""
        waiting: asyncio.Queue[tuple[float, str | bytes]] = asyncio.Queue(MAX_WAITING_MESSAGES)
        sending = asyncio.create_task(self._send(waiting, target))
        try:
            arrival = 0.0
            message = await source.receive()
            while message.type in _MESSAGES:
                arrival = self._conditions.arrival(arrival)
                for part in _parts(message, changed):
                    await waiting.put((arrival, part))
                message = await source.receive()
            if message.type is not WSMsgType.CLOSE:
                return False
            await waiting.join()
            code = source.close_code or WSCloseCode.OK
            await target.close(code=code)
            return True
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send(self, waiting: asyncio.Queue[tuple[float, str | bytes]], to: Socket) -> None:
        while True:
            arrival, message = await waiting.get()
            await self._conditions.pass_at(arrival)
            # Its other direction notices that it has ended.
            with suppress(ConnectionError):
                if isinstance(message, str):
                    await to.send_str(message)
                else:
                    await to.send_bytes(message)
            waiting.task_done()


async def _even_if_left(carrying: Coroutine[None, None, T]) -> T:
    """Continue when the client is gone: what it sent before still arrives."""
    task = asyncio.create_task(carrying)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _parts(
    message: aiohttp.WSMessage, changed: Callable[[str], list[str]]
) -> list[str] | list[bytes]:
    return changed(message.data) if message.type is WSMsgType.TEXT else [message.data]


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _OF_A_CONNECTION}


@asynccontextmanager
async def network(
    gateway_url: str, conditions: NetworkConditions, script: Script
) -> AsyncIterator[Network]:
    """A network in front of a gateway, on a free port of 127.0.0.1, while the block runs."""
    one = Network(gateway_url, conditions, script)
    application = web.Application(client_max_size=MAX_MESSAGE_BYTES)
    application.router.add_route("*", "/{path:.*}", one.serve)
    runner = web.AppRunner(
        application,
        access_log=None,
        handle_signals=False,
        handler_cancellation=True,
        shutdown_timeout=0,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield one
    finally:
        # What waits must not keep it from ending.
        conditions.clear()
        one.cut()
        await runner.cleanup()
