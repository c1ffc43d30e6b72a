"""The client: its connections, one after the other, and the universes that are open on them."""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
from yarl import URL

from harmonic_client.clock import Quality
from harmonic_client.connection import GetToken, Options, ServerConnection, Status
from harmonic_client.errors import UnansweredError, refusal
from harmonic_client.events import AnyEvent, NewerEvent
from harmonic_client.sending import CommandSender
from harmonic_client.tasks import OwnTasks
from harmonic_client.timekeeping import ServerClock
from harmonic_client.universe import SharedUniverse
from harmonic_protocol.messages.connection import ErrorReported, Limits
from harmonic_protocol.messages.declaration import API_PREFIX, JSON_TYPE
from harmonic_protocol.values import Mode

#: How long a command may wait for the connection.
PATIENCE_S = 10.0


class JoinedUniverses:
    """The universes of a client, by id. Each hears only its own events."""

    def __init__(self) -> None:
        self.known: dict[str, SharedUniverse] = {}

    def connected(self, *, recovered: bool) -> None:
        """There is a connection."""
        for universe in self.known.values():
            universe.connected(recovered=recovered)

    def disconnected(self) -> None:
        """The connection is broken."""
        for universe in self.known.values():
            universe.disconnected()

    def heard(self, event: AnyEvent) -> None:
        """Pass an event on to the universe that it names."""
        universe = self.known.get(_about(event))
        if universe is not None:
            universe.heard(event)


class Client:
    """A user's client, made by :func:`connect`. It connects and reconnects by itself."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._universes = JoinedUniverses()
        self._connection = ServerConnection(options, self._universes)
        self._sender = CommandSender(self._connection)
        self._tasks = OwnTasks()

    @property
    def status(self) -> Status:
        """How the connection is."""
        return self._connection.status

    @property
    def quality(self) -> Quality:
        """How good the connection is, by round trips and missing answers."""
        return self._connection.quality

    @property
    def user_id(self) -> str | None:
        """The id of this client's user, as the server says it."""
        return self._connection.user_id

    @property
    def limits(self) -> Limits | None:
        """The limits that the server announced."""
        return self._connection.limits

    @property
    def expires_at(self) -> str | None:
        """When the token expires."""
        return self._connection.expires_at

    @property
    def error(self) -> Exception | None:
        """Why there is no connection, if there is none."""
        return self._connection.error

    @property
    def clock(self) -> ServerClock:
        """The server's clock."""
        return self._connection.clock

    async def join(self, universe_id: str, mode: Mode = "edit") -> SharedUniverse:
        """Join a universe's room: the same object for the same id. Raise a refusal."""
        universe = self._universes.known.get(universe_id)
        if universe is None:
            universe = SharedUniverse(self._sender, universe_id, self._tasks)
            self._universes.known[universe_id] = universe
        await universe.join(mode)
        return universe

    async def until(self, holds: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Wait until something is true of this client; raise ``TimeoutError`` if it is not."""
        await self._connection.watch.until(holds, timeout_s)

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        """Call the HTTP API. Return the answer as parsed JSON, or as bytes if it is something else.

        ``path`` follows the API's prefix, percent-encoded where it must be. Raise a refusal, or
        :class:`UnansweredError`.
        """
        url = URL(f"{self._options.url}{API_PREFIX}{path}", encoded=True)
        headers = {"Authorization": f"Bearer {await self._options.token()}"}
        timeout = aiohttp.ClientTimeout(total=self._options.patience_s)
        connector = aiohttp.TCPConnector(ssl=self._options.tls or True)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as http,
                http.request(method, url, json=body, headers=headers) as response,
            ):
                raw = await response.read()
                is_json = response.content_type == JSON_TYPE
                said = await response.json() if raw and is_json else raw
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise UnansweredError(f"{method} {path}: {why}") from error
        if response.status < HTTPStatus.BAD_REQUEST:
            return said
        if isinstance(said, dict) and "error" in said:
            raise refusal(said)
        raise UnansweredError(f"{method} {path} was answered by {response.status}")

    async def emit(self, command: str, payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Send any command once. Return its ack, or ``None`` if none came."""
        return await self._connection.emit(command, payload)

    def connect(self) -> None:
        """Connect again after a refusal."""
        self._connection.connect()

    async def cut(self) -> None:
        """Break the connection as a network does. The client comes back by itself."""
        if self._connection.link is not None:
            await self._connection.link.cut()

    async def close(self) -> None:
        """Say goodbye, which leaves all rooms."""
        await self._tasks.end()
        await self._connection.close()

    async def open(self, *, retry: bool) -> None:
        """Connect; raise a refusal, or :class:`UnansweredError` if nobody answers."""
        self._connection.start()
        await self._connection.ready(retry=retry)


def _about(event: AnyEvent) -> str:
    """The universe that an event names; nothing if it names none."""
    if isinstance(event, ErrorReported):
        return str(event.details.get("universeId", ""))
    if isinstance(event, NewerEvent):
        return str(event.data.get("universeId", "")) if isinstance(event.data, dict) else ""
    return getattr(event, "universe_id", None) or ""


@asynccontextmanager
async def connect(
    url: str,
    get_token: GetToken,
    *,
    patience_s: float = PATIENCE_S,
    retry: bool = True,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Client]:
    """A client that is connected while the block runs.

    ``url`` is the server's address, such as ``https://example.org``. ``get_token`` returns a token
    or an awaitable of one; it is asked at each connect, and when a token is about to expire.
    ``patience_s`` is how long a command may wait for a connection. Raise :class:`RefusedError` if
    the client is refused, and :class:`UnansweredError` if nobody answers; without ``retry``,
    :class:`NotConnectedError` if the first attempt fails.
    """
    client = Client(Options(url.rstrip("/"), get_token, patience_s, tls))
    try:
        await client.open(retry=retry)
        yield client
    finally:
        await client.close()
