"""Takes over sessions whose clients open a WebSocket here: the driver of ``handover``."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import assert_never

from aiohttp import WSMsgType, web
from pydantic import TypeAdapter, ValidationError

from harmonic_gateway import metrics as table
from harmonic_gateway.peers.exchange import Exchange, Said
from harmonic_gateway.peers.handover import Takeover, TakeoverDuty, TakeoverNews, proceed
from harmonic_gateway.peers.questions import ALLOWED, REFUSED, Asked, Told
from harmonic_gateway.sockets import Connection, ConnectUnavailable, Mover, SocketServer
from harmonic_gateway.sockets.attached import Attached
from harmonic_gateway.sockets.engine import RESTART_CODE, EngineSocket
from harmonic_gateway.sockets.handed import HandedSession
from harmonic_gateway.sockets.handing import go_on
from harmonic_gateway.sockets.limits import HANDSHAKE_TIMEOUT_S
from harmonic_gateway.sockets.polling import encoded_packets
from harmonic_gateway.sockets.steps import Input
from harmonic_gateway.sockets.upgrading import GOES_OVER, PROBE, PROBE_ANSWER
from harmonic_gateway.sockets.websocket import WebSocket
from harmonic_runtime.bus.client import BusUnavailable, NoResponders
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.entropy import new_id

#: A client that upgrades probes at once. Of one that does not, its gateway is asked after so long.
PROBE_PAUSE_S = 0.05
#: One that was answered and has no poll under way goes over at once. Of another one its gateway is
#: told after so long, and ends the poll.
GO_OVER_PAUSE_S = 0.02
#: How long the session's own gateway may take to say whether there is one, ...
TRY_TIMEOUT_S = 2.0
#: ... and to hand it over: commands that are under way for the client are finished before.
HAND_OVER_TIMEOUT_S = 8.0

HANDED = TypeAdapter(HandedSession)
_ENDS = {Takeover.MOVED, Takeover.FAILED}
_SAID = {PROBE: TakeoverNews.PROBE, GOES_OVER: TakeoverNews.UPGRADE}
#: A client with whom it ends so has asked for what there is not, or wasted it.
_IN_VAIN = {
    *(TakeoverNews.UNKNOWN, TakeoverNews.REFUSED, TakeoverNews.OTHER, TakeoverNews.LATE),
}
#: How long a client's next word is awaited, and what its silence is.
_PATIENCE = {
    Takeover.OPEN: (PROBE_PAUSE_S, TakeoverNews.QUIET),
    Takeover.WAITING: (HANDSHAKE_TIMEOUT_S, TakeoverNews.LATE),
    Takeover.PROBED: (GO_OVER_PAUSE_S, TakeoverNews.QUIET),
    Takeover.ANNOUNCED: (HANDSHAKE_TIMEOUT_S, TakeoverNews.LATE),
}
_ANSWERS = {ALLOWED: TakeoverNews.ALLOWED, REFUSED: TakeoverNews.REFUSED}
_WITH_CLIENT = {
    *(TakeoverDuty.ANSWER_PROBE, TakeoverDuty.SEND_LAST_WORDS, TakeoverDuty.CLOSE),
}
_TOLD = {
    TakeoverDuty.TELL_PROBED: Told.PROBED,
    TakeoverDuty.TELL_TRY_FAILED: Told.TRY_FAILED,
    TakeoverDuty.TELL_TAKEN_OVER: Told.TAKEN_OVER,
    TakeoverDuty.TELL_NOT_TAKEN: Told.NOT_TAKEN,
}


@dataclass(slots=True, eq=False)
class _Attempt:
    """One client's upgrade, with its state so far."""

    request: web.Request
    owner: str
    sid: str
    id: str
    websocket: WebSocket
    state: Takeover = Takeover.OPEN
    writer: Attached | None = None
    handed: HandedSession | None = None
    socket: EngineSocket | None = None
    seated: list[Connection] = field(default_factory=list)


class Takeovers:
    """Sessions that are being taken over."""

    def __init__(
        self, sockets: SocketServer, exchange: Exchange, mover: Mover, metrics: Metrics
    ) -> None:
        self._sockets = sockets
        self._exchange = exchange
        self._mover = mover
        self._outcomes = metrics.counters(table.TAKEOVERS)

    async def take_over(
        self, request: web.Request, owner: str, sid: str, *, in_vain: Callable[[], None]
    ) -> web.StreamResponse:
        """Serve a WebSocket to which a session of the gateway ``owner`` may go over.

        ``in_vain`` is called if there is no such session, or its client makes nothing of it.
        """
        if self._sockets.not_now() is not None:
            # Its client stays with polling.
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
        attempt = _Attempt(request, owner, sid, new_id(), WebSocket(request))
        try:
            attempt.writer = await attempt.websocket.accept(request)
            while attempt.state not in _ENDS:
                news = await self._news(attempt)
                if await self._take(attempt, news) is Takeover.FAILED and news in _IN_VAIN:
                    in_vain()
        except BaseException:
            # The client went, or this gateway stops.
            await self._take(attempt, TakeoverNews.GONE, is_there=False)
            raise
        finally:
            self._outcomes.of(_outcome(attempt.state)).inc()
        if attempt.socket is not None and attempt.state is Takeover.MOVED:
            assert attempt.writer is not None  # noqa: S101 -- for the type checker: it was accepted
            attempt.socket.listen(attempt.websocket, attempt.writer)
        return attempt.websocket

    async def _news(self, attempt: _Attempt) -> TakeoverNews:
        """Await what its state waits for."""
        try:
            match attempt.state:
                case Takeover.OPEN | Takeover.WAITING | Takeover.PROBED | Takeover.ANNOUNCED:
                    return await _hear(attempt.websocket, *_PATIENCE[attempt.state])
                case Takeover.ASKED:
                    return await self._ask(attempt)
                case Takeover.REQUESTED:
                    return await self._request(attempt)
                case Takeover.SEATING:
                    return await self._take_seats(attempt)
                case Takeover.MOVED | Takeover.FAILED:
                    raise AssertionError("nothing is awaited at an end")
                case unreachable:
                    assert_never(unreachable)
        except NoResponders:
            return TakeoverNews.UNKNOWN
        except (BusUnavailable, ConnectUnavailable, ValidationError):
            return TakeoverNews.LOST

    async def _ask(self, attempt: _Attempt) -> TakeoverNews:
        asked = Said(Asked.TRY, attempt.sid, attempt.id.encode())
        answer = await self._exchange.ask(attempt.owner, asked, timeout_s=TRY_TIMEOUT_S)
        return _ANSWERS.get(answer.kind, TakeoverNews.UNKNOWN)

    async def _request(self, attempt: _Attempt) -> TakeoverNews:
        asked = Said(Asked.HAND_OVER, attempt.sid, attempt.id.encode())
        answer = await self._exchange.ask(attempt.owner, asked, timeout_s=HAND_OVER_TIMEOUT_S)
        if answer.kind != ALLOWED:
            return TakeoverNews.UNKNOWN
        attempt.handed = HANDED.validate_json(answer.body)
        return TakeoverNews.LAST_WORDS if attempt.handed.shut else TakeoverNews.HANDED

    async def _take_seats(self, attempt: _Attempt) -> TakeoverNews:
        handed = attempt.handed
        assert handed is not None  # noqa: S101 -- for the type checker: the table says so
        socket = attempt.socket = self._sockets.begin_taking_over(attempt.sid, handed)
        if socket is None:
            return TakeoverNews.LOST
        for connection, known in socket.upper.take_over(handed):
            await self._mover.take_over(connection, known.kept)
            attempt.seated.append(connection)
        # It may have been shut, or have taken too long, while that was awaited.
        return TakeoverNews.LOST if socket.closed else TakeoverNews.SEATED

    async def _take(
        self, attempt: _Attempt, news: TakeoverNews, *, is_there: bool = True
    ) -> Takeover:
        """Take news, and do what follows; nothing is awaited for a client that is not there."""
        attempt.state, duties = proceed(attempt.state, news)
        for duty in duties:
            if duty in _WITH_CLIENT:
                if is_there:
                    await self._answer(attempt, duty)
            elif duty in _TOLD:
                self._tell(attempt, _TOLD[duty])
            elif duty is TakeoverDuty.GO_ON:
                self._go_on(attempt)
            elif duty is TakeoverDuty.GIVE_SEATS_BACK:
                self._give_back(attempt)
        return attempt.state

    def _tell(self, attempt: _Attempt, told: Told) -> None:
        said = Said(told, attempt.sid, attempt.id.encode())
        if told is Told.TAKEN_OVER:
            # Nobody waits for it.
            self._exchange.tell_soon(attempt.owner, said)
            return
        with suppress(BusUnavailable):
            self._exchange.tell(attempt.owner, said)

    async def _answer(self, attempt: _Attempt, duty: TakeoverDuty) -> None:
        websocket = attempt.websocket
        if duty is TakeoverDuty.ANSWER_PROBE:
            await websocket.send_str(PROBE_ANSWER)
        elif duty is TakeoverDuty.SEND_LAST_WORDS:
            transport = attempt.request.transport
            if transport is not None and attempt.handed is not None:
                for encoded in encoded_packets(attempt.handed.packets):
                    transport.write(encoded.raw)
        else:
            await websocket.close(code=RESTART_CODE)

    def _go_on(self, attempt: _Attempt) -> None:
        """Become its gateway, without an await."""
        socket, handed, writer = attempt.socket, attempt.handed, attempt.writer
        assert socket is not None  # noqa: S101 -- for the type checker: the table says so
        assert handed is not None  # noqa: S101 -- same
        assert writer is not None  # noqa: S101 -- same
        transport, deflates = attempt.request.transport, attempt.websocket.deflates
        go_on(socket, handed, transport, writer, deflates=deflates)
        for connection in attempt.seated:
            socket.upper.let_in(connection)
            self._mover.taken_over(connection)

    def _give_back(self, attempt: _Attempt) -> None:
        for connection in attempt.seated:
            self._mover.not_taken(connection)
        if attempt.socket is not None:
            attempt.socket.take(Input.MISTAKE)


def _outcome(state: Takeover) -> str:
    return "moved" if state is Takeover.MOVED else "failed"


async def _hear(websocket: WebSocket, timeout_s: float, silence: TakeoverNews) -> TakeoverNews:
    """What the client says next, or its ``silence``."""
    try:
        message = await websocket.receive(timeout_s)
    except TimeoutError:
        return silence
    return (
        _SAID.get(message.data, TakeoverNews.OTHER)
        if message.type is WSMsgType.TEXT
        else (TakeoverNews.OTHER)
    )
