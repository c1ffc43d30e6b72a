"""Reads a session's WebSocket, and takes each packet without a task where it can.

Events and answers to pings are taken in the transport's call that reads them. Other packets wait in
the WebSocket's queue, together with all later ones, for a task that ends when the queue is empty.
So packets are taken in order of arrival.
"""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from aiohttp import WSMessage, WSMsgType
from engineio.packet import MESSAGE, PONG
from socketio.packet import EVENT

from harmonic_gateway.sockets.limits import PACKET_COST_S, ReadingPace
from harmonic_gateway.sockets.turns import Stretch, Turns
from harmonic_gateway.sockets.websocket import close_code

_PONG, _EVENT = f"{PONG}", f"{MESSAGE}{EVENT}"
_TAKEN = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG})


class ReadSession(Protocol):
    """The session whose WebSocket is read."""

    pace: ReadingPace
    turns: Turns

    @property
    def at_websocket(self) -> bool:
        """Whether it uses its WebSocket and is not shut."""

    @property
    def closed(self) -> bool:
        """Whether it has ended."""

    def packet(self, kind: int, data: str | bytes, cost_s: float) -> Awaitable[None] | None:
        """Take a packet; await a returned awaitable before the next one.

        Raise ``ValueError`` or ``RecursionError`` for a packet that ends the session.
        """

    def charge(self, cost_s: float) -> None:
        """Charge the client CPU seconds that belong to no message."""

    async def slow_down(self) -> None:
        """Wait until the client's next message may be read, or close the client."""

    def read_to_end(self, code: int | None, fault: Exception | None) -> None:
        """Note the WebSocket's end: by a close frame with ``code``, or by a client's ``fault``.

        Called once.
        """


class ReadWebSocket(Protocol):
    """The WebSocket that is read."""

    @property
    def is_all_received(self) -> bool:
        """Whether all messages that were read have been received."""

    async def receive(self) -> WSMessage:
        """The next message."""

    def pong(self, data: bytes) -> None:
        """Answer a ping."""

    def take_cost_s(self) -> float:
        """CPU seconds spent on reading since the last call."""

    def finish(self, last: WSMessage | None) -> None:
        """Close the connection after its ``last`` message, if there was one."""


class Reading:
    """The reading of one WebSocket."""

    __slots__ = (
        *("_fault", "_is_lost", "_is_over", "_owes_pause"),
        *("_session", "_task", "_waits", "_websocket"),
    )

    def __init__(self, session: ReadSession, websocket: ReadWebSocket) -> None:
        self._session = session
        self._websocket = websocket
        #: Whether all earlier messages were taken, so that it waits for the next.
        self._waits = False
        self._task: asyncio.Task[WSMessage | None] | None = None
        self._fault: Exception | None = None
        #: Whether a packet that was taken without a task requires a pause before the next.
        self._owes_pause = False
        self._is_lost = self._is_over = False

    def begin(self) -> None:
        """Take the messages that wait, and those that follow."""
        self._waits = self._websocket.is_all_received
        if not self._waits:
            self.wake()

    def wake(self) -> None:
        """Note that a message waits, or that no message follows."""
        self._waits = False
        if self._task is None and not self._is_over:
            self._task = asyncio.create_task(self._take_waiting())
            self._task.add_done_callback(self._taken)

    def lost(self) -> None:
        """Note a lost connection; cancel a pending question to the application."""
        self._is_lost = True
        if self._task is None:
            self._end(None)
        else:
            # The task may have finished, with its callback still to come.
            self._task.cancel()

    async def _take_waiting(self) -> WSMessage | None:
        """Take all waiting messages; return the message that ends the WebSocket, if any.

        Raise ``ValueError`` or ``RecursionError`` if the client violates the protocol.
        """
        session, websocket = self._session, self._websocket
        stretch = Stretch(session.turns)
        while not session.closed:
            message = await websocket.receive()
            if self._fault is not None:
                raise self._fault
            cost_s = websocket.take_cost_s()
            if self._owes_pause:
                self._owes_pause = False
                await session.slow_down()
            if message.type not in _TAKEN or message.data == "":
                return message
            asking = self._take(message, cost_s)
            if asking is not None:
                await asking
            if session.pace.is_behind:
                await session.slow_down()
            if websocket.is_all_received:
                return None
            await stretch.go_on()
        return None

    def _taken(self, task: "asyncio.Task[WSMessage | None]") -> None:
        """Handle the end of the task: wait for more messages, or end the WebSocket."""
        self._task = None
        if task.cancelled():
            self._end(None)
        elif isinstance(error := task.exception(), ValueError | RecursionError):
            self._end(None, error)
        elif error is not None:
            self._end(None)
            raise error
        elif (last := task.result()) is not None or self._session.closed or self._is_lost:
            self._end(last)
        else:
            # More may have arrived since.
            self.begin()

    def _end(self, last: WSMessage | None, fault: Exception | None = None) -> None:
        if not self._is_over:
            self._is_over, self._waits = True, False
            try:
                self._session.read_to_end(None if last is None else close_code(last), fault)
            finally:
                self._websocket.finish(last)

    def _take(self, message: WSMessage, cost_s: float) -> Awaitable[None] | None:
        """Take a received message; await a returned awaitable before the next one."""
        if message.type is WSMsgType.TEXT:
            return self._session.packet(int(message.data[0]), message.data[1:], cost_s)
        if message.type is WSMsgType.BINARY:
            return self._session.packet(MESSAGE, message.data, cost_s)
        if message.type is WSMsgType.PING and self._session.at_websocket:
            self._websocket.pong(message.data)
        self._session.charge(cost_s + PACKET_COST_S)
        return None

    def take_text(self, text: str | None) -> bool:
        """Take a packet in the call that reads it; ``False`` leaves it to be received in order.

        It is left if the client has to be slowed down, or the session has to end: both need the
        task. An event is also left while the task receives an earlier message.
        """
        is_taken = text is not None and self._is_taken(text)
        if not is_taken:
            self._waits = False
        return is_taken

    def _is_taken(self, text: str) -> bool:
        session = self._session
        if session.pace.is_behind or not session.at_websocket:
            return False
        if text == _PONG:
            session.packet(PONG, "", self._websocket.take_cost_s())
            return True
        if not self._waits or not text.startswith(_EVENT):
            return False
        try:
            session.packet(MESSAGE, text[1:], self._websocket.take_cost_s())
        except (ValueError, RecursionError) as error:
            # Leave the text to the task, which raises the fault and so ends the session.
            self._fault = error
            return False
        self._owes_pause = session.pace.is_behind
        return True
