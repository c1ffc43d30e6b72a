"""One Engine.IO session, over WebSocket or HTTP polling: the driver of the table in ``lifecycle``.

It reads requests and WebSockets, tells the table what came, and does what the table says. All that
is sent goes through the session's outbox.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from engineio.exceptions import EngineIOError
from engineio.packet import CLOSE, MESSAGE, NOOP, PONG

from harmonic_gateway.sockets.attached import Attached, OpenWebSockets
from harmonic_gateway.sockets.ended import Ended, EndReason, websocket_ended
from harmonic_gateway.sockets.frames import Encoded
from harmonic_gateway.sockets.headers import Beginning
from harmonic_gateway.sockets.heartbeat import Heartbeat
from harmonic_gateway.sockets.lateness import Expectation, LateClients
from harmonic_gateway.sockets.lifecycle import AT_WEBSOCKET, OVER, TABLE, step
from harmonic_gateway.sockets.limits import (
    BYTE_COST_S,
    LINGER_S,
    MESSAGE_COST_S,
    PACKET_COST_S,
    PROBED_POLL_S,
    REQUEST_COST_S,
    ReadingPace,
    SocketLimits,
)
from harmonic_gateway.sockets.outbox import Outbox
from harmonic_gateway.sockets.polling import PollAnswer, answer, packets_of
from harmonic_gateway.sockets.reading import Reading
from harmonic_gateway.sockets.reports import Reports, Tally
from harmonic_gateway.sockets.steps import Do, Input, State
from harmonic_gateway.sockets.turns import Stretch, Turns
from harmonic_gateway.sockets.websocket import WebSocket
from harmonic_runtime.process.deadlines import Deadlines

#: WebSocket close codes (RFC 6455, section 7.4.1). After "service restart", clients come back, to
#: whichever replica takes them.
RESTART_CODE = 1012
#: "Try again later": nothing has failed, the client comes too often.
TRY_LATER_CODE = 1013
_PROTOCOL_ERROR_CODE = 1002
POLICY_CODE = 1008
_NOOP = Encoded.of([f"{NOOP}"])
_CLOSE = Encoded.of([f"{CLOSE}"])
_ENDED = {Do.END_BROKEN: Ended.BROKEN, Do.END_GOODBYE: Ended.GOODBYE}
#: Asked for every packet: to look a member of an enumeration up takes as long as a call.
_DELIVER, _COUNT_PONG, _OTHER = Do.DELIVER, Do.COUNT_PONG, Input.OTHER
_PACKETS = {MESSAGE: Input.MESSAGE, PONG: Input.PONG, CLOSE: Input.CLOSE}


class EngineHost(Protocol):
    """What a session needs of the layer above it."""

    limits: SocketLimits
    beats: Deadlines[Heartbeat]
    late: LateClients
    turns: Turns
    open_websockets: OpenWebSockets

    @property
    def tally(self) -> Tally:
        """Who counts."""

    def said(
        self, socket: "EngineSocket", message: str | bytes, cost_s: float
    ) -> Awaitable[None] | None:
        """A client sent a message; raises ``ValueError`` for one that is malformed.

        To receive it took ``cost_s`` of CPU time. What is returned is to be awaited before the
        next message is taken: the application is asked. Of an event nothing is returned.
        """

    def gone(self, socket: "EngineSocket", ended: Ended) -> None:
        """The session is over; called once."""

    def malformed(self, error: Exception) -> None:
        """A client does not speak the protocol, and is closed."""

    def exhausted(self, socket: "EngineSocket") -> None:
        """So many messages of a client were refused that it is closed."""

    def moved(self, socket: "EngineSocket") -> None:
        """The session goes on at another gateway, and is over here; called once."""

    def pinged(self, socket: "EngineSocket") -> None:
        """A ping was sent, after all that was sent before."""

    def ponged(self, socket: "EngineSocket") -> None:
        """It was answered, after ``heartbeat.round_trip_ms``."""


class EngineSocket:
    """A session.

    ``upper`` belongs to the layer above. ``transport`` is how the client is connected, or was last,
    and ``why`` is why the session ends, where that is known. ``trial`` is how long a WebSocket that
    the client tries here has to go on with.
    """

    __slots__ = (
        "_expectation",
        "_host",
        "_state",
        "begun",
        "heartbeat",
        "outbox",
        "pace",
        "sid",
        "slow_until_s",
        "transport",
        "trial",
        "turns",
        "upper",
        "why",
    )

    def __init__(self, host: EngineHost, sid: str, begun: Beginning, pace: ReadingPace) -> None:
        self._host = host
        self.pace = pace
        self.turns = host.turns
        self.slow_until_s = float("-inf")  # the client is not read before
        self._state = State.OPENING
        self.sid = sid
        self.begun = begun
        self.transport = "polling"
        self.trial: asyncio.Timeout | None = None
        self.upper: Any = None
        self.why: EndReason | None = None
        limits = host.limits
        reports = Reports(self, host)
        self.outbox = Outbox(reports, limits)
        interval_s, timeout_s = limits.ping_interval_s, limits.ping_timeout_s
        self.heartbeat = Heartbeat(reports, interval_s, timeout_s, host.beats)
        self._expectation = Expectation(host.late, begun.address, self.give_up)
        self.expect_use()

    @property
    def opening(self) -> bool:
        """Whether it has not begun yet, or is still being taken over: no request finds it."""
        return self._state is State.OPENING

    @property
    def upgraded(self) -> bool:
        """Whether it is at a WebSocket."""
        return self._state in AT_WEBSOCKET

    @property
    def at_websocket(self) -> bool:
        """Whether it is at a WebSocket, and not shut."""
        return self._state is State.WEBSOCKET

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self._state in OVER

    def would(self, event: Input) -> Do:
        """What an input would lead to at this moment."""
        return step(self._state, event).do

    def take(self, event: Input, code: int | None = None) -> Do:
        """Take an input: go on to the state that it leads to, and do what is not the caller's."""
        self._state, do = TABLE[self._state][event]
        if do is _DELIVER or do is _COUNT_PONG:
            return do
        match do:
            case Do.DRAIN:
                self.outbox.seal()
                asyncio.get_running_loop().call_later(LINGER_S, self.give_up)
            case Do.CLOSE_WEBSOCKET:
                if self.outbox.close(code or RESTART_CODE):
                    # The client is gone, however long it takes to end its connection.
                    asyncio.get_running_loop().call_soon(self.take, Input.WEBSOCKET_ENDED)
            case Do.RESET_WEBSOCKET:
                self.outbox.end(at_once=True)
            case Do.FREEZE:
                self.heartbeat.stop()
                self.outbox.seal(dropping=True)
                self.in_use()
            case Do.FORGET:
                self._host.moved(self)
            case Do.END_BROKEN | Do.END_GOODBYE | Do.END_BY_CODE:
                ended = websocket_ended(code, answers=self.heartbeat.answers)
                self.heartbeat.stop()
                self.outbox.seal(dropping=True)
                self.in_use()
                self._host.gone(self, _ENDED.get(do, ended))
            case (
                Do.NOTHING
                | Do.DELIVER
                | Do.COUNT_PONG
                | Do.REFUSE_PACKET
                | Do.TAKE_POST
                | Do.WAIT
                | Do.WAIT_SHORTLY
                | Do.ANSWER
                | Do.ANSWER_OR_CLOSE
                | Do.ANSWER_NOOP
                | Do.ANSWER_CLOSE
                | Do.REFUSE_REQUEST
                | Do.SERVE
                | Do.TRY
                | Do.TURN_DOWN
                | Do.ANSWER_PROBE
                | Do.GO_OVER
                | Do.GO_OVER_AND_SHUT
            ):
                pass
        return do

    def expect_use(self) -> None:
        """Close the session unless it turns out in time that the client has a use for it."""
        if self._state not in OVER:
            self._expectation.begin()

    def in_use(self) -> None:
        """From now on, the client's heartbeat decides how long the session stays."""
        self._expectation.met()

    def shut(self, code: int = RESTART_CODE) -> None:
        """Close the session from this side, after all that was sent before."""
        self.take(Input.SHUT, code)

    def give_up(self) -> None:
        """Give up a client that is not there, or does not listen."""
        if self._state in AT_WEBSOCKET:
            self.take(Input.GIVE_UP)
        else:
            # Whoever calls may be in the middle of a room's members.
            asyncio.get_running_loop().call_soon(self.take, Input.GIVE_UP)

    async def post(self, read: Callable[[], Awaitable[str]]) -> None:
        """A polling client says something; raises ``EngineIOError`` for what it may not say."""
        if self.take(Input.POST) is not Do.TAKE_POST:
            raise EngineIOError("a request that does not fit")
        try:
            self.charge(REQUEST_COST_S)
            body = await read()
            stretch = Stretch(self.turns)
            for kind, data in packets_of(body):
                asking = self.packet(kind, data, 0.0)
                if asking is not None:
                    await asking
                if self.pace.is_behind:
                    await self.slow_down()
                await stretch.go_on()
        except (ValueError, RecursionError, EngineIOError) as error:
            if self.closed:
                # It went meanwhile: there is nothing left to be ended for it.
                return
            if isinstance(error, EngineIOError):
                raise
            self.why = EndReason.MALFORMED
            self._host.malformed(error)
            raise EngineIOError("a malformed packet") from error

    async def poll(self, opening: Encoded | None = None) -> PollAnswer:
        """Wait for something to send; raises ``EngineIOError`` for a poll that does not fit."""
        do = self.take(Input.SECOND_POLL if self.outbox.is_polled else Input.POLL)
        if do is Do.REFUSE_REQUEST:
            raise EngineIOError("a poll that does not fit")
        if opening is not None:
            self.outbox.send(opening)
        # Nothing comes any more for a client whose session was shut.
        if self.would(Input.POLL_DUE) is not Do.ANSWER_OR_CLOSE:
            try:
                await self.outbox.wait(PROBED_POLL_S if do is Do.WAIT_SHORTLY else None)
            except asyncio.CancelledError:
                # The client did not wait for the answer: it is gone, unless it goes over.
                self.take(Input.POLL_ABANDONED)
                raise
        do = self.take(Input.POLL_DUE)
        if do is Do.REFUSE_REQUEST:
            raise EngineIOError("a poll of a session that goes on elsewhere")
        entries = self.outbox.take() if do in {Do.ANSWER, Do.ANSWER_OR_CLOSE} else []
        if not entries and do is Do.ANSWER_OR_CLOSE:
            # Alone in its payload: some clients would handle what precedes it twice.
            entries, do = [_CLOSE], self.take(Input.CLOSE_SENT)
        if not entries:
            entries = [_CLOSE if do is Do.ANSWER_CLOSE else _NOOP]
        return answer(entries, self.begun.headers.get("Accept-Encoding", ""))

    def listen(self, websocket: WebSocket, attached: Attached) -> None:
        """Take what comes over the session's WebSocket from now on.

        The handler of its request is to end.
        """
        self.transport = "websocket"
        websocket.detach(Reading(self, attached), self._host.open_websockets)

    def read_to_end(self, code: int | None, fault: Exception | None) -> None:
        """The session's WebSocket ended."""
        if fault is not None:
            self.why = EndReason.MALFORMED
            self._host.malformed(fault)
            # What else it sends would be no better: official servers close as well.
            self.shut(_PROTOCOL_ERROR_CODE)
        self.outbox.end(at_once=False)
        self.take(Input.WEBSOCKET_ENDED, code)

    def packet(self, kind: int, data: str | bytes, cost_s: float) -> Awaitable[None] | None:
        """Take a packet; what is returned is to be awaited before the next one is."""
        do = self.take(_PACKETS.get(kind, _OTHER))
        if do is _DELIVER:
            cost_s += MESSAGE_COST_S + len(data) * BYTE_COST_S
            return self._host.said(self, data, cost_s)
        if do is _COUNT_PONG:
            if not self.heartbeat.in_doubt:
                self.charge(cost_s + PACKET_COST_S)
            self.heartbeat.pong()
        elif do is Do.REFUSE_PACKET:
            raise ValueError("unexpected packet")
        return None

    def charge(self, cost_s: float) -> None:
        """Charge the client for what no message of its comes of."""
        self.pace.took(cost_s, asyncio.get_running_loop().time())

    async def slow_down(self) -> None:
        """Wait until the client's next message may be read, or close the client."""
        if self.pace.is_spent:
            # What it said before it was shut may still be refused.
            if self.would(Input.SHUT) is not Do.NOTHING:
                self._host.exhausted(self)
            return
        now_s = asyncio.get_running_loop().time()
        wait_s = self.pace.wait_s(now_s)
        if wait_s:
            self.slow_until_s = now_s + wait_s
            self._host.tally.slowed(wait_s)
            await asyncio.sleep(wait_s)
