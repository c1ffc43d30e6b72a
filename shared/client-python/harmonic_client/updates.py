"""Sends changes of parameters: one update at a time; at a limit, waiting changes are merged."""

import asyncio
from typing import Protocol

from harmonic_client import merge
from harmonic_client.changes import Changes, to_wire
from harmonic_client.errors import HarmonicError, RefusedError, UnansweredError
from harmonic_client.sending import CommandSender, new_id
from harmonic_client.tasks import OwnTasks
from harmonic_protocol.messages.parameters import UpdateParameters
from harmonic_protocol.refusals import Code

UNKNOWN_WAIT_MS = 1000.0
CLOSED = "the client is closed"


class Updatable(Protocol):
    """The room that is updated: read, shown when it changes, and told how the updates go."""

    id: str

    @property
    def room(self) -> merge.RoomView | None:
        """The room as it is now, unless it is not joined."""

    def show(self, room: merge.RoomView) -> None:
        """Replace the room's state."""

    async def joined(self) -> None:
        """Return once the room is joined. Raise the error if it is not."""

    def updated(self, error: HarmonicError | None = None, wait_ms: float = 0.0) -> None:
        """An update was carried out, or refused; at a limit, updates go on in ``wait_ms``."""


class Updates:
    """The updates of one room."""

    def __init__(self, sender: CommandSender, target: Updatable, tasks: OwnTasks) -> None:
        self._sender = sender
        self._target = target
        self._tasks = tasks
        # Of whoever asked for the changes that wait: they are sent, and so settled, together.
        self._waiters: list[asyncio.Future[int]] = []
        self._is_sending = False

    def add(self, room: merge.RoomView, changes: Changes) -> asyncio.Future[int]:
        """Show the changes, and send them as soon as the limit allows."""
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        # A caller that drags need not look at each: the universe's ``error`` says it, too.
        waiter.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._waiters.append(waiter)
        self._target.show(merge.queued(room, changes))
        if not self._is_sending:
            self._is_sending = True
            self._tasks.start(self._send_all()).add_done_callback(self._stopped)
        return waiter

    def undo(self, error: HarmonicError) -> None:
        """Undo the waiting changes, and raise ``error`` to their callers."""
        waiters, self._waiters = self._waiters, []
        _fail(waiters, error)
        room = self._target.room
        if room is not None:
            self._target.show(merge.waiting_dropped(room))

    async def _send_all(self) -> None:
        try:
            while self._target.room is not None and self._target.room.waiting is not None:
                await self._sender.update_turn()
                try:
                    await self._target.joined()
                except HarmonicError as error:
                    self.undo(error)
                else:
                    await self._send()
        finally:
            self._is_sending = False

    def _stopped(self, sending: asyncio.Task[None]) -> None:
        # A task that is cancelled before its first turn runs no code of its own.
        if sending.cancelled():
            self._is_sending = False
            self.undo(UnansweredError(CLOSED))

    async def _send(self) -> None:
        room = self._target.room
        # What waited may have been undone meanwhile.
        if room is None or room.waiting is None:
            return
        op_id = new_id()
        payload = {"universeId": self._target.id, "opId": op_id, **to_wire(room.waiting)}
        waiters, self._waiters = self._waiters, []
        self._target.show(merge.taken(room, op_id))
        try:
            seq = await self._sender.ask(
                UpdateParameters.spec.name,
                payload,
                self._target.joined,
                lambda refused: refused.code is Code.RATE_LIMITED,
            )
        except HarmonicError as error:
            self._failed(op_id, error, waiters)
            return
        except asyncio.CancelledError:
            _fail(waiters, UnansweredError(CLOSED))
            raise
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(seq)
        if self._target.room is not None:
            self._target.show(merge.acknowledged(self._target.room, op_id, seq))
        self._target.updated()

    def _failed(self, op_id: str, error: HarmonicError, waiters: list[asyncio.Future[int]]) -> None:
        room = self._target.room
        wait_ms = _limit_ms(error)
        if wait_ms is not None and room is not None:
            self._sender.hold_back(wait_ms)
            self._waiters = [*waiters, *self._waiters]
            self._target.show(merge.returned(room, op_id))
            self._target.updated(error, wait_ms)
            return
        _fail(waiters, error)
        if room is not None:
            self._target.show(merge.dropped(room, op_id))
        self._target.updated(error)


def _limit_ms(error: HarmonicError) -> float | None:
    """The milliseconds that a limit asks to wait, if the refusal is by a limit."""
    if not isinstance(error, RefusedError) or error.code is not Code.RATE_LIMITED:
        return None
    return UNKNOWN_WAIT_MS if error.retry_after_ms is None else error.retry_after_ms


def _fail(waiters: list[asyncio.Future[int]], error: HarmonicError) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_exception(error)
