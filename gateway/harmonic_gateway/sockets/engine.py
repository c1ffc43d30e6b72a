"""One Engine.IO session, over WebSocket or HTTP polling: the driver of the table in ``lifecycle``.

It reads requests and WebSockets, passes inputs to the table, and carries out the table's steps. All
packets to the client go through the session's outbox.
"""

import asyncio
import time
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
    MAX_POSTS_AT_ONCE,
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

#: WebSocket close codes (RFC 6455, section 7.4.1). After "service restart", clients reconnect to
#: any replica.
RESTART_CODE = 1012
#: "Try again later": nothing has failed, but the client connects too often.
TRY_LATER_CODE = 1013
_PROTOCOL_ERROR_CODE = 1002
POLICY_CODE = 1008
_NOOP = Encoded.of([f"{NOOP}"])
_CLOSE = Encoded.of([f"{CLOSE}"])
_ENDED = {Do.END_BROKEN: Ended.BROKEN, Do.END_GOODBYE: Ended.GOODBYE}
#: Needed for every packet: looking up a member of an enumeration costs as much as a call.
_DELIVER, _COUNT_PONG, _OTHER = Do.DELIVER, Do.COUNT_PONG, Input.OTHER
_PACKETS = {MESSAGE: Input.MESSAGE, PONG: Input.PONG, CLOSE: Input.CLOSE}


class EngineHost(Protocol):
    """The interface of the layer above a session."""

    limits: SocketLimits
    beats: Deadlines[Heartbeat]
    late: LateClients
    turns: Turns
    open_websockets: OpenWebSockets

    @property
    def tally(self) -> Tally:
        """Counts what is reported."""

    def said(
        self, socket: "EngineSocket", message: str | bytes, cost_s: float
    ) -> Awaitable[None] | None:
        """Handle a client's message; raise ``ValueError`` if it is malformed.

        Receiving it took ``cost_s`` CPU seconds. A returned awaitable must be awaited before the
        next message is taken: it asks the application. For an event, ``None`` is returned.
        """

    def gone(self, socket: "EngineSocket", ended: Ended) -> None:
        """The session has ended; called once."""

    def malformed(self, error: Exception) -> None:
        """A client violated the protocol and is closed."""

    def exhausted(self, socket: "EngineSocket") -> None:
        """Close a client of which too many messages were refused."""

    def moved(self, socket: "EngineSocket") -> None:
        """The session moved to another gateway and has ended here; called once."""

    def pinged(self, socket: "EngineSocket") -> None:
        """A ping was sent, after all that was sent before."""

    def ponged(self, socket: "EngineSocket") -> None:
        """The ping was answered, after ``heartbeat.round_trip_ms``."""


class EngineSocket:
    """A session.

    ``upper`` belongs to the layer above. ``transport`` is the client's current or last transport.
    ``why`` is the reason of the session's end, if known. ``trial`` is the timeout of a WebSocket
    that the client tries here.
    """

    __slots__ = (
        "_expectation",
        "_host",
        "_posts",
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
        self._posts = 0
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
        """Whether it has not begun, or is being taken over. Requests do not find it then."""
        return self._state is State.OPENING

    @property
    def upgraded(self) -> bool:
        """Whether it uses a WebSocket."""
        return self._state in AT_WEBSOCKET

    @property
    def at_websocket(self) -> bool:
        """Whether it uses a WebSocket and is not shut."""
        return self._state is State.WEBSOCKET

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._state in OVER

    def would(self, event: Input) -> Do:
        """What the table would return for an input now."""
        return step(self._state, event).do

    def take(self, event: Input, code: int | None = None) -> Do:
        """Take an input: change the state, and do what is not left to the caller."""
        self._state, do = TABLE[self._state][event]
        if do is _DELIVER or do is _COUNT_PONG:
            return do
        match do:
            case Do.DRAIN:
                self.outbox.seal()
                asyncio.get_running_loop().call_later(LINGER_S, self.give_up)
            case Do.CLOSE_WEBSOCKET:
                if self.outbox.close(code or RESTART_CODE):
                    # The session ends now, however long the connection takes to close.
                    asyncio.get_running_loop().call_soon(self.take, Input.WEBSOCKET_ENDED)
            case Do.RESET_WEBSOCKET:
                self.outbox.end(at_once=True)
            case Do.FREEZE:
                self.heartbeat.stop()
                self.outbox.seal(dropping=True)
                self.in_use()
            case Do.FORGET:
                self.pace.end()
                self._host.moved(self)
            case Do.END_BROKEN | Do.END_GOODBYE | Do.END_BY_CODE:
                ended = websocket_ended(code, answers=self.heartbeat.answers)
                self.heartbeat.stop()
                self.outbox.seal(dropping=True)
                self.in_use()
                self.pace.end()
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
        """Close the session unless its client connects to a namespace in time."""
        if self._state not in OVER:
            self._expectation.begin()

    def in_use(self) -> None:
        """Keep the session for as long as its client answers pings."""
        self._expectation.met()

    def shut(self, code: int = RESTART_CODE) -> None:
        """Close the session from this side, after all that was sent before."""
        self.take(Input.SHUT, code)

    def give_up(self) -> None:
        """Give up a client that does not answer or does not read."""
        if self._state in AT_WEBSOCKET:
            self.take(Input.GIVE_UP)
        else:
            # The caller may be iterating over a room's members.
            asyncio.get_running_loop().call_soon(self.take, Input.GIVE_UP)

    async def post(self, read: Callable[[], Awaitable[str]]) -> None:
        """Take the packets of a POST; raise ``EngineIOError`` if they are not allowed."""
        if self.take(Input.POST) is not Do.TAKE_POST:
            raise EngineIOError("a request that does not fit")
        if self._posts == MAX_POSTS_AT_ONCE:
            # Each is answered late if the client is slowed down: so many at once are not.
            raise EngineIOError("too many requests at once")
        self._posts += 1
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
                # The session ended during the await: there is nothing left to end.
                return
            if isinstance(error, EngineIOError):
                raise
            self.why = EndReason.MALFORMED
            self._host.malformed(error)
            raise EngineIOError("a malformed packet") from error
        finally:
            self._posts -= 1

    async def poll(self, opening: Encoded | None = None) -> PollAnswer:
        """Answer a poll once there is something to send; raise ``EngineIOError`` if not allowed."""
        do = self.take(Input.SECOND_POLL if self.outbox.is_polled else Input.POLL)
        if do is Do.REFUSE_REQUEST:
            raise EngineIOError("a poll that does not fit")
        self.charge(REQUEST_COST_S)
        if opening is not None:
            self.outbox.send(opening)
        # A session that was shut has nothing more to wait for.
        if self.would(Input.POLL_DUE) is not Do.ANSWER_OR_CLOSE:
            try:
                await self.outbox.wait(PROBED_POLL_S if do is Do.WAIT_SHORTLY else None)
            except asyncio.CancelledError:
                # The client closed the request: it has disconnected, unless it upgrades.
                self.take(Input.POLL_ABANDONED)
                raise
        do = self.take(Input.POLL_DUE)
        if do is Do.REFUSE_REQUEST:
            raise EngineIOError("a poll of a session that goes on elsewhere")
        entries = self.outbox.take() if do in {Do.ANSWER, Do.ANSWER_OR_CLOSE} else []
        if not entries and do is Do.ANSWER_OR_CLOSE:
            # Alone in its payload: some clients would handle packets before it twice.
            entries, do = [_CLOSE], self.take(Input.CLOSE_SENT)
        if not entries:
            entries = [_CLOSE if do is Do.ANSWER_CLOSE else _NOOP]
        return answer(entries, self.begun.headers.get("Accept-Encoding", ""))

    def listen(self, websocket: WebSocket, attached: Attached) -> None:
        """Read the session's WebSocket from now on.

        The handler of its request must end after this.
        """
        self.transport = "websocket"
        websocket.detach(Reading(self, attached), self._host.open_websockets)

    def read_to_end(self, code: int | None, fault: Exception | None) -> None:
        """Note the end of the session's WebSocket."""
        if fault is not None:
            self.why = EndReason.MALFORMED
            self._host.malformed(fault)
            # After a malformed packet, close: official servers do so, too.
            self.shut(_PROTOCOL_ERROR_CODE)
        self.outbox.end(at_once=False)
        self.take(Input.WEBSOCKET_ENDED, code)

    def packet(self, kind: int, data: str | bytes, cost_s: float) -> Awaitable[None] | None:
        """Take a packet; await a returned awaitable before the next one."""
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
        """Charge the client CPU seconds that belong to no message."""
        self.pace.took(cost_s, time.monotonic())

    async def slow_down(self) -> None:
        """Wait until the client's next message may be read, or close the client."""
        if self.pace.is_spent:
            # It may be shut already, with earlier messages still being refused.
            if self.would(Input.SHUT) is not Do.NOTHING:
                self._host.exhausted(self)
            return
        now_s = time.monotonic()
        wait_s = self.pace.wait_s(now_s)
        if wait_s:
            self.slow_until_s = now_s + wait_s
            self._host.tally.slowed(wait_s)
            await asyncio.sleep(wait_s)
