"""Clients as people have them: pages, programs and apps that end, freeze and change networks.

Each comes through a balancer of its own, so that its connections can be cut and no other's.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import socketio

from harness.client import PATIENCE_S, Listener
from harness.javascript import Bridge, JavascriptClient
from harness.world import World
from recovery.proxy import Direction, Loss, Proxy, proxy

NAMESPACE = "/ws"
#: Soon, so that tests are short; clients' own pauses change nothing else.
RECONNECTION_S = 0.1
#: What programs send that name the server's address: here, each has another way to it.
ORIGIN = "https://harmonic.example"
#: How long a connection that hangs or is half open stays so for its gateway.
LINGER_S = 60.0


#: Closes the page's WebSocket, and ends with it: what is sent until then is still heard.
_LEAVING = """
const { ws } = socket.io.engine.transport;
await new Promise(closed => { ws.addEventListener("close", closed); ws.close(1001); });
"""


class Visitor:
    """A client of one user that comes back by itself; ``kind`` is what it sends as User-Agent."""

    def __init__(self, listener: Listener, balancer: Proxy, token: str) -> None:
        self.listener = listener
        self.balancer = balancer
        self.token = token

    async def comes(self) -> dict[str, Any]:
        """Open the page or program: what ``connect_success`` says."""
        await self._open()
        return await self.listener.hears("connect_success")

    async def joins(self, universe: str) -> dict[str, Any]:
        """Join a room: what ``room_joined`` says."""
        await self.emits("join_room", {"universeId": universe, "mode": "edit"})
        return await self.listener.hears("room_joined", universeId=universe)

    async def ends(self) -> None:
        """The page is left, or the program ends in order."""
        raise NotImplementedError

    async def is_stored(self) -> None:
        """The page goes into the back-forward cache.

        For what has no pages: it ends in order.
        """
        await self.ends()

    async def is_restored(self) -> None:
        """The page comes out of the cache again; what has no pages connects anew."""
        await self._open()

    async def dies(self) -> None:
        """Its process is killed: its connections end without a word."""
        await self.loses(Loss.CUT, for_good=True)
        await self.closes()

    async def closes(self) -> None:
        """Let go of what it holds here."""
        raise NotImplementedError

    async def loses(self, loss: Loss, *, for_good: bool = False) -> None:
        """All of its connections end in some way, and it gets no other one if that is for good."""
        # One that polls may be between two polls.
        async with asyncio.timeout(PATIENCE_S):
            await self.balancer.is_used.wait()
        self.balancer.takes_in = not for_good
        for link in list(self.balancer.links):
            link.lose(loss, Direction.DOWN, 1)
            link.lose_now()

    async def emits(self, event: str, data: dict[str, Any]) -> None:
        """Say something."""
        raise NotImplementedError

    async def asks(self, event: str, data: dict[str, Any]) -> dict[str, Any]:
        """Say something, and return its ack."""
        raise NotImplementedError

    async def _open(self) -> None:
        raise NotImplementedError


class Page(Visitor):
    """A page with the official JavaScript client."""

    listener: JavascriptClient

    def __init__(
        self, listener: JavascriptClient, balancer: Proxy, token: str, transports: list[str]
    ) -> None:
        super().__init__(listener, balancer, token)
        self._transports = transports

    async def emits(self, event: str, data: dict[str, Any]) -> None:
        await self.listener.runs(f"socket.emit('{event}', {json.dumps(data)});")

    async def asks(self, event: str, data: dict[str, Any]) -> dict[str, Any]:
        emits = f"socket.emit('{event}', {json.dumps(data)}, acknowledged)"
        ack: dict[str, Any] = await self.listener.runs(
            f"return new Promise(acknowledged => {emits});"
        )
        return ack

    async def ends(self) -> None:
        await self.closes()
        await self._is_left()

    async def is_stored(self) -> None:
        # It comes back by itself, once it may.
        await self._is_left()

    async def is_restored(self) -> None:
        self.balancer.takes_in = True

    async def closes(self) -> None:
        await self.listener.runs("socket?.io.reconnection(false);")

    async def _is_left(self) -> None:
        # Browsers close a page's WebSockets with 1001 when it is left, and its requests silently.
        if self._transports == ["polling"]:
            await self.loses(Loss.CUT, for_good=True)
        else:
            self.balancer.takes_in = False
            await self.listener.runs(_LEAVING)

    async def _open(self) -> None:
        options = {
            "auth": {"token": self.token},
            "forceNew": True,
            "transports": self._transports,
            "reconnectionDelay": 1000 * RECONNECTION_S,
            "reconnectionDelayMax": 1000 * RECONNECTION_S,
            "randomizationFactor": 0,
            "timeout": 2000,
            "extraHeaders": {"User-Agent": "a browser"},
        }
        url = f"{self.balancer.url}{NAMESPACE}"
        await self.listener.opens(f"const socket = io('{url}', {json.dumps(options)});")


class Program(Visitor):
    """A program with python-socketio's asyncio client."""

    def __init__(self, listener: Listener, balancer: Proxy, token: str) -> None:
        super().__init__(listener, balancer, token)
        self._client = socketio.AsyncClient(
            reconnection_delay=RECONNECTION_S,
            reconnection_delay_max=RECONNECTION_S,
            randomization_factor=0,
        )
        self._client.on("*", listener._hear, namespace=NAMESPACE)

    async def emits(self, event: str, data: dict[str, Any]) -> None:
        await self._client.emit(event, data, namespace=NAMESPACE)

    async def asks(self, event: str, data: dict[str, Any]) -> dict[str, Any]:
        ack = asyncio.get_running_loop().create_future()
        await self._client.emit(event, data, namespace=NAMESPACE, callback=ack.set_result)
        async with asyncio.timeout(PATIENCE_S):
            acknowledged: dict[str, Any] = await ack
        return acknowledged

    async def ends(self) -> None:
        await self._client.disconnect()

    async def _open(self) -> None:
        await self._client.connect(
            self.balancer.url,
            auth={"token": self.token},
            namespaces=[NAMESPACE],
            transports=["websocket"],
            wait_timeout=PATIENCE_S,
        )

    async def closes(self) -> None:
        self._client.reconnection = False
        await self._client.shutdown()


class Script(Visitor):
    """A program with python-socketio's synchronous client."""

    def __init__(self, listener: Listener, balancer: Proxy, token: str) -> None:
        super().__init__(listener, balancer, token)
        self._client = socketio.Client(
            websocket_extra_options={"origin": ORIGIN},
            reconnection_delay=RECONNECTION_S,
            reconnection_delay_max=RECONNECTION_S,
            randomization_factor=0,
        )
        loop = asyncio.get_running_loop()

        def hear(event: str, data: Any) -> None:
            asyncio.run_coroutine_threadsafe(listener._hear(event, data), loop)

        def lost(reason: str) -> None:
            # It leaves the sockets of lost connections open.
            if reason != self._client.reason.CLIENT_DISCONNECT:
                self._client.eio.ws.shutdown()

        self._messages = ThreadPoolExecutor(max_workers=1)
        engine = self._client.eio
        trigger = engine._trigger_event

        def in_order(event: str, *args: Any, **options: Any) -> Any:
            # It hands each message to a thread of its own, where one may overtake another.
            if event == "message":
                return self._messages.submit(trigger, event, *args)
            return trigger(event, *args, **options)

        engine._trigger_event = in_order
        self._client.on("*", hear, namespace=NAMESPACE)
        self._client.on("disconnect", lost, namespace=NAMESPACE)

    async def emits(self, event: str, data: dict[str, Any]) -> None:
        await asyncio.to_thread(self._client.emit, event, data, namespace=NAMESPACE)

    async def asks(self, event: str, data: dict[str, Any]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        ack = loop.create_future()

        def acknowledge(answer: dict[str, Any]) -> None:
            loop.call_soon_threadsafe(ack.set_result, answer)

        emit = self._client.emit
        await asyncio.to_thread(emit, event, data, namespace=NAMESPACE, callback=acknowledge)
        async with asyncio.timeout(PATIENCE_S):
            acknowledged: dict[str, Any] = await ack
        return acknowledged

    async def ends(self) -> None:
        await asyncio.to_thread(self._client.disconnect)

    async def _open(self) -> None:
        await asyncio.to_thread(
            self._client.connect,
            self.balancer.url,
            auth={"token": self.token},
            namespaces=[NAMESPACE],
            transports=["websocket"],
            wait_timeout=PATIENCE_S,
        )

    async def closes(self) -> None:
        self._client.reconnection = False
        await asyncio.to_thread(self._client.shutdown)
        self._messages.shutdown(wait=False)


class App(Visitor):
    """A phone's app: without a ``pid``, and with a WebSocket that it closes with 1000.

    Swift's and Java's clients do so when the app ends, after a DISCONNECT packet, and also when
    they miss the server's pings.
    """

    def __init__(
        self, listener: Listener, balancer: Proxy, token: str, http: aiohttp.ClientSession
    ) -> None:
        super().__init__(listener, balancer, token)
        self._http = http
        self._websocket: aiohttp.ClientWebSocketResponse | None = None
        self._running: asyncio.Task[None] | None = None

    async def emits(self, event: str, data: dict[str, Any]) -> None:
        assert self._websocket is not None
        await self._websocket.send_str(f"42{NAMESPACE}," + json.dumps([event, data]))

    async def ends(self) -> None:
        assert self._websocket is not None
        await self._websocket.send_str(f"41{NAMESPACE},")
        await self._websocket.close(code=1000)
        await self.closes()

    async def _open(self) -> None:
        self._running = asyncio.create_task(self._run())

    async def closes(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            with suppress(aiohttp.ClientError, aiohttp.WSMessageTypeError, TimeoutError, OSError):
                await self._live()
            await asyncio.sleep(RECONNECTION_S)

    async def _live(self) -> None:
        url = f"{self.balancer.url}/socket.io/?EIO=4&transport=websocket"
        headers = {"User-Agent": "an app", "Origin": ORIGIN}
        async with (
            asyncio.timeout(PATIENCE_S) as connecting,
            self._http.ws_connect(url, headers=headers) as websocket,
        ):
            self._websocket = websocket
            opening = json.loads((await websocket.receive_str())[1:])
            await websocket.send_str(f"40{NAMESPACE}," + json.dumps({"token": self.token}))
            connecting.reschedule(None)
            silence_s = (opening["pingInterval"] + opening["pingTimeout"]) / 1000
            while True:
                try:
                    packet = await websocket.receive_str(timeout=silence_s)
                except TimeoutError:
                    # It misses the server's pings.
                    await websocket.close(code=1000)
                    return
                if packet == "2":
                    await websocket.send_str("3")
                elif packet.startswith(f"42{NAMESPACE},"):
                    event, data, *_ = json.loads(packet.removeprefix(f"42{NAMESPACE},"))
                    await self.listener._hear(event, data)


KINDS = (
    "socket.io-client 4.8.4",
    "socket.io-client 3.1.3",
    "python-socketio, asyncio",
    "python-socketio, synchronous",
    "HTTP polling only",
    "Swift and Java",
)


@asynccontextmanager
async def visitor(world: World, bridge: Bridge, kind: str, user: str) -> AsyncIterator[Visitor]:
    """A client of some kind that has not come yet."""
    stack, token = world.stack, world.token(user)
    names = [f"gateway-{number}" for number in range(1, 1 + len(stack.gateway_ports))]
    async with proxy(stack.gateway_ports, names, linger_s=LINGER_S) as balancer:
        made: Visitor
        match KINDS.index(kind):
            case 0:
                made = Page(bridge.client(user, "4.8.4"), balancer, token, ["websocket"])
            case 1:
                made = Page(bridge.client(user, "3.1.3"), balancer, token, ["websocket"])
            case 2:
                made = Program(Listener(user), balancer, token)
            case 3:
                made = Script(Listener(user), balancer, token)
            case 4:
                made = Page(bridge.client(user, "4.8.4"), balancer, token, ["polling"])
            case _:
                made = App(Listener(user), balancer, token, world.http)
        try:
            yield made
        finally:
            await made.closes()
