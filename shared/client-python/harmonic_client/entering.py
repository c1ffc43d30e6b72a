"""Enters a room, and leaves it."""

import asyncio
import math
from collections.abc import Callable

from harmonic_client.errors import HarmonicError, RefusedError, refusal
from harmonic_client.sending import CommandSender
from harmonic_client.tasks import OwnTasks
from harmonic_protocol.messages.rooms import JoinRoom, LeaveRoom
from harmonic_protocol.reasons import Reason
from harmonic_protocol.values import Mode

#: Seconds until a request that was not answered is made again.
UNANSWERED_PAUSE_S = 0.2


class RoomEntry:
    """The latest request for one room: to enter it, or to leave it."""

    def __init__(
        self,
        sender: CommandSender,
        universe_id: str,
        refused: Callable[[HarmonicError], None],
        tasks: OwnTasks,
    ) -> None:
        self._sender = sender
        self._universe_id = universe_id
        self._refused = refused
        self._tasks = tasks
        self._task: asyncio.Task[None] | None = None
        self.is_entering = False
        #: Why the latest attempt to enter failed.
        self.refusal: RefusedError | None = None

    def enter(self, mode: Mode) -> None:
        """Ask to join, or for another mode. Without a connection, it is asked later."""
        self.stop()
        self.refusal = None
        if self._sender.connection.link is not None:
            self.is_entering = True
            self._task = self._tasks.start(self._enter(mode))

    def leave(self) -> asyncio.Task[None]:
        """Leave the room, if there is a connection."""
        self.stop()
        self._task = self._tasks.start(self._leave())
        return self._task

    def stop(self) -> None:
        """Drop the request that is under way."""
        self.is_entering = False
        if self._task is not None:
            self._task.cancel()

    async def _enter(self, mode: Mode) -> None:
        # Without an ``opId``: on another connection, a repeat would be acknowledged and not join.
        payload = {"universeId": self._universe_id, "mode": mode}
        try:
            await self._ask(JoinRoom.spec.name, payload)
        except RefusedError as error:
            self.is_entering = False
            self.refusal = error
            self._refused(error)
        else:
            self.is_entering = False
            self._sender.connection.watch.changed()

    async def _leave(self) -> None:
        try:
            await self._ask(LeaveRoom.spec.name, {"universeId": self._universe_id})
        except RefusedError:
            # It was not in the room, or may not be.
            return

    async def _ask(self, command: str, payload: dict[str, str]) -> None:
        """Ask on this connection until it is granted. Raise a refusal that is final."""
        attempt = 0
        while True:
            attempt += 1
            answer = await self._sender.connection.emit(command, payload)
            if answer is None:
                if self._sender.connection.link is None:
                    return
                # A namespace that has ended answers at once, before its connection ends.
                await asyncio.sleep(UNANSWERED_PAUSE_S)
                continue
            if answer["ok"]:
                return
            error = refusal(answer)
            if error.reason is Reason.NOT_IN_ROOM:
                raise error
            await self._sender.after_refusal(error, attempt, math.inf)
