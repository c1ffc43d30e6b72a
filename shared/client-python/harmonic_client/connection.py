"""The connection to the server, with its tokens and reconnections. It knows no rooms."""

import asyncio
import inspect
import random
import secrets
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal, Protocol

from harmonic_client.clock import Quality
from harmonic_client.errors import RefusedError, UnansweredError, refusal
from harmonic_client.events import AnyEvent, NewerEvent, read_event
from harmonic_client.link import SocketLink
from harmonic_client.retry import reconnect_pause_ms
from harmonic_client.tasks import OwnTasks
from harmonic_client.timekeeping import SECOND_MS, ServerClock
from harmonic_client.watch import Watch
from harmonic_protocol.messages.connection import (
    ConnectSuccess,
    Limits,
    RefreshToken,
    TokenExpiring,
    TokenRefreshed,
)
from harmonic_protocol.messages.declaration import Event
from harmonic_protocol.reasons import Reason

#: Gives a token, now or a moment later.
GetToken = Callable[[], str | Awaitable[str]]
#: ``refused`` and ``closed`` last until ``connect()``; otherwise the client connects by itself.
Status = Literal["connecting", "connected", "refused", "closed"]
#: No connection is made any more: nothing that comes by one need be waited for.
OVER: frozenset[Status] = frozenset({"refused", "closed"})

MAX_RENEWALS = 3

_AGENT = f"harmonic-client/{version('harmonic-client')}"
_chance = random.SystemRandom()


@dataclass(frozen=True)
class Options:
    """How to connect: ``patience_s`` is how long a command may wait for the connection."""

    url: str
    get_token: GetToken
    patience_s: float
    tls: ssl.SSLContext | None

    async def token(self) -> str:
        """A token, for a connection or a call."""
        given = self.get_token()
        return await given if inspect.isawaitable(given) else given


class OpenRooms(Protocol):
    """What hears of a connection's events, each in the turn in which it happens."""

    def connected(self, *, recovered: bool) -> None:
        """There is a connection; the server joins the rooms of a recovered session itself."""

    def disconnected(self) -> None:
        """The connection is broken. Its ``status`` says whether the client reconnects."""

    def heard(self, event: AnyEvent) -> None:
        """An event came."""


class ServerConnection:
    """The connections of one client, one after the other, and the state of the current one."""

    def __init__(self, options: Options, rooms: OpenRooms) -> None:
        self.clock = ServerClock()
        self.watch = Watch()
        self.patience_s = options.patience_s
        self.status: Status = "connecting"
        self.quality: Quality = "offline"
        self.user_id: str | None = None
        self.limits: Limits | None = None
        self.expires_at: str | None = None
        self.error: Exception | None = None
        self._options = options
        self._rooms = rooms
        # Of its own, so that no other client of the user is taken for this one.
        self._user_agent = f"{_AGENT} ({secrets.token_hex(8)})"
        self._link: SocketLink | None = None
        self._pid: str | None = None
        self._offset: str | None = None
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._tasks = OwnTasks()

    @property
    def link(self) -> SocketLink | None:
        """The current connection, if it is accepted."""
        return self._link if self._link is not None and self._link.is_accepted else None

    def start(self) -> None:
        """Begin to connect."""
        self._tasks.start(self._run())

    def connect(self) -> None:
        """Try again after a refusal."""
        if self.status == "refused":
            self._become("connecting", None)
            self._wanted.set()

    async def close(self) -> None:
        """Say goodbye, which leaves the rooms."""
        self._become("closed", None)
        await self._tasks.end()
        # There may have been no connection that could be lost.
        self._rooms.disconnected()

    async def ready(self, *, retry: bool) -> None:
        """Return when there is a connection. Raise the refusal, or an error if it takes too long.

        Without ``retry``, raise the error of the first attempt.
        """
        await self.expect(lambda: self.status != "connecting" or not (retry or self.error is None))
        self.check()
        if self.status != "connected" and self.error is not None:
            raise self.error

    def check(self) -> None:
        """Raise the refusal, or an error if the client is closed."""
        if self.status == "refused" and self.error is not None:
            raise self.error
        if self.status == "closed":
            raise UnansweredError("the client is closed")

    async def expect(self, holds: Callable[[], bool]) -> None:
        """Wait until it is true; raise :class:`UnansweredError` if it is not in ``patience_s``."""
        try:
            await self.watch.until(holds, self.patience_s)
        except TimeoutError:
            why = f": {self.error}" if self.error else ""
            raise UnansweredError(f"there is no connection{why}") from self.error

    async def emit(self, command: str, payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Send a command once, if there is a connection: its ack, or ``None`` if none came."""
        # What would be sent after a reconnection would be stale.
        return await self.link.ask(command, payload) if self.link else None

    async def signal(self, command: str, payload: Mapping[str, Any]) -> None:
        """Send what is not acknowledged, if there is a connection."""
        if self.link:
            await self.link.emit(command, payload)

    async def renew(self) -> None:
        """Give the server a newer token. Without one, it closes the connection after a while."""
        try:
            answer = await self.emit(RefreshToken.spec.name, {"token": await self._options.token()})
            if answer is not None and not answer["ok"]:
                self.error = refusal(answer)
        except Exception as error:  # noqa: BLE001 -- the caller's own ``get_token``, asked again later
            self.error = error
        self.watch.changed()

    async def _run(self) -> None:
        failures = 0
        while True:
            await self._wanted.wait()
            try:
                await self._connect_once()
                # It lasted for a while.
                failures = 1
            except RefusedError as error:
                failures += 1
                if error.reason is not Reason.EXPIRED or failures > MAX_RENEWALS:
                    failures = 0
                    self._wanted.clear()
                    self._become("refused", error)
                    self._rooms.disconnected()
                    continue
                self._become("connecting", error)
            except Exception as error:  # noqa: BLE001 -- of ``get_token``, too: the next may be good
                failures += 1
                self._become("connecting", error)
            await asyncio.sleep(reconnect_pause_ms(failures, _chance.random()) / SECOND_MS)

    async def _connect_once(self) -> None:
        """Connect, and serve the connection until it ends. Raise the error if it is not made."""
        auth = {"token": await self._options.token()}
        if self._pid is not None:
            auth["pid"] = self._pid
            if self._offset is not None:
                auth["offset"] = self._offset
        link = self._link = SocketLink(self._user_agent, self._options.tls, self._heard, self._lost)
        try:
            await link.open(self._options.url, auth)
            async with asyncio.TaskGroup() as group:
                timekeeping = group.create_task(self.clock.keep(link.ask, self._judged))
                await link.ended()
                timekeeping.cancel()
        finally:
            self._lost()
            await link.close()

    def _lost(self) -> None:
        if self.status == "connected":
            self._become("connecting", None)
        self._rooms.disconnected()

    def _heard(self, name: str, told: tuple[Any, ...]) -> None:
        *_, last = told or (None,)
        if self._pid is not None and isinstance(last, str):
            self._offset = last
        event = read_event(name, told[0] if told else None)
        match event:
            case ConnectSuccess():
                self._accepted(event)
                return
            case TokenExpiring():
                self._tasks.start(self.renew())
            case TokenRefreshed():
                self.expires_at = event.expires_at
                self.watch.changed()
            case Event() | NewerEvent():
                # It says nothing of the connection.
                pass
        self._rooms.heard(event)

    def _accepted(self, told: ConnectSuccess) -> None:
        if told.pid is not None and told.pid != self._pid:
            # What was heard of the logs in another session says nothing of this one.
            self._pid, self._offset = told.pid, None
        self.user_id, self.limits, self.expires_at = told.user_id, told.limits, told.expires_at
        self.quality = "good"
        self._become("connected", None)
        self._rooms.connected(recovered=told.recovered)

    def _judged(self, quality: Quality) -> None:
        if self.status == "connected":
            self.quality = quality
        # The clock has changed, too.
        self.watch.changed()

    def _become(self, status: Status, error: Exception | None) -> None:
        self.status, self.error = status, error
        if status != "connected":
            self.quality = "offline"
        self.watch.changed()
