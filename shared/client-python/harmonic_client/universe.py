"""One universe: events change its state, and calls send commands."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from harmonic_client import merge
from harmonic_client.changes import (
    Changes,
    MusicChanges,
    PhysicsChanges,
    VisualizationChanges,
    given,
)
from harmonic_client.connection import OVER
from harmonic_client.endless import start_music, stop_music
from harmonic_client.entering import RoomEntry
from harmonic_client.errors import HarmonicError, RefusedError, UnansweredError
from harmonic_client.events import AnyEvent, EventFeed, NewerEvent
from harmonic_client.generation import generate
from harmonic_client.retry import is_passing
from harmonic_client.room import RoomState
from harmonic_client.sending import CommandSender
from harmonic_client.signals import OwnPresence, OwnPreview
from harmonic_client.tasks import OwnTasks
from harmonic_client.updates import Updates
from harmonic_protocol.messages.declaration import Event
from harmonic_protocol.messages.music import MusicGenerated
from harmonic_protocol.messages.presence import ParticipantState
from harmonic_protocol.messages.rooms import RoomJoined, RoomRefused
from harmonic_protocol.refusals import Refused
from harmonic_protocol.values import Mode, StyleName


class SharedUniverse(RoomState):
    """A universe, as :meth:`Client.join` gives it.

    ``async for event in universe`` yields each event from then on, as a class of the contract,
    after the state has changed by it. It ends when the room is left or the client is closed. It
    raises the refusal if the client is removed from the room or not let in again, and
    :class:`MissedEventsError` if it is slower than the events.
    """

    def __init__(self, sender: CommandSender, universe_id: str, tasks: OwnTasks) -> None:
        super().__init__(universe_id, sender.connection)
        self._sender = sender
        self._entry = RoomEntry(sender, universe_id, self._not_entered, tasks)
        self._preview = OwnPreview(sender, universe_id, self._tried, tasks)
        self._presence = OwnPresence(sender, universe_id, tasks)
        self._updates = Updates(sender, self, tasks)
        self._mode: Mode = "edit"
        self._feed = EventFeed()

    def __aiter__(self) -> AsyncIterator[AnyEvent]:
        """The events from now on."""
        queue = self._feed.queue()
        if self.status == "refused":
            queue.end(self.error)
        elif self.status == "left" or self._connection.status in OVER:
            queue.end(self._connection.error)
        return queue

    async def join(self, mode: Mode = "edit") -> None:
        """Join after leaving or after a refusal, or change one's mode; raise a refusal."""
        self._mode = mode
        self.error = None
        if self.status != "joined":
            self.become("joining")
        self._entry.enter(mode)
        await self._connection.expect(lambda: not self._entry.is_entering and self.is_settled())
        if self._entry.refusal is not None:
            raise self._entry.refusal
        await self.joined()

    async def leave(self) -> None:
        """Leave the room. Changes that are not sent yet are undone."""
        self._preview.end()
        self._presence.end()
        self.become("left")
        self._updates.undo(UnansweredError("the room was left"))
        self._feed.end()
        # A gateway that does not answer is not waited for.
        await asyncio.wait({self._entry.leave()}, timeout=self._connection.patience_s)

    def set(
        self,
        *,
        physics: PhysicsChanges | None = None,
        music: MusicChanges | None = None,
        visualization: VisualizationChanges | None = None,
        **others: Mapping[str, Any],
    ) -> asyncio.Future[int]:
        """Change parameters. They are shown at once; while a limit delays them, changes are merged.

        Await it for the ``seq`` of the stored change; changes that are sent together share one. A
        refusal undoes the changes, and is raised.
        """
        changes = given(physics, music, visualization, others)
        if self.room is None or self.status == "left":
            raise UnansweredError("the room is not joined")
        self._preview.committed(changes)
        return self._updates.add(self.room, changes)

    def preview(
        self,
        *,
        physics: PhysicsChanges | None = None,
        music: MusicChanges | None = None,
        visualization: VisualizationChanges | None = None,
        **others: Mapping[str, Any],
    ) -> None:
        """Show values to all without storing them, until ``set`` or a call without values."""
        if self.status == "joined":
            self._preview.show(given(physics, music, visualization, others))

    def present(self, state: Mapping[str, Any]) -> None:
        """Show the others a state, in place of the one before; sent again after a reconnection.

        Any JSON object of at most 1 KiB: a cursor, a colour, which slider is held.
        """
        if self.status == "left":
            return
        user = self._connection.user_id
        if self.room is not None and user is not None:
            own = ParticipantState.model_construct(user_id=user, state=dict(state))
            self.show(merge.shown(self.room, (own,)))
        self._presence.show(state)

    async def generate(
        self,
        duration: float,
        *,
        seed: int | None = None,
        style: StyleName | None = None,
        after: str | None = None,
    ) -> MusicGenerated:
        """Ask for a piece of ``duration`` seconds, and wait for it. Everyone in the room hears it.

        The same ``seed`` and parameters give the same piece. It can answer the piece whose
        ``request_id`` is ``after``.
        """
        request = {"duration": duration, "seed": seed, "style": style, "after": after}
        said = {name: value for name, value in request.items() if value is not None}
        return await generate(self._sender, self, self._feed, said)

    async def start_music(self, *, seed: int | None = None, style: StyleName | None = None) -> None:
        """Have the universe play an endless piece: its bars come as :class:`MusicBar`, each once.

        Refused, with the reason ``PLAYING``, while it plays one.
        """
        wish = {"seed": seed, "style": style}
        said = {name: value for name, value in wish.items() if value is not None}
        await start_music(self._sender, self, said)

    async def stop_music(self) -> None:
        """End the endless piece."""
        await stop_music(self._sender, self)

    def connected(self, *, recovered: bool) -> None:
        """There is a connection."""
        if self.status == "left":
            return
        if self.status == "refused":
            if not (isinstance(self.error, RefusedError) and is_passing(self.error.refused)):
                # Another try would be refused, too.
                return
            self.become("joining")
        # A room of a recovered session is joined again by the server.
        if not (recovered and self.room):
            self._entry.enter(self._mode)

    def disconnected(self) -> None:
        """The connection is broken."""
        self._entry.stop()
        self._preview.drop()
        if self.status == "joined":
            self.become("away")
        if self._connection.status in OVER:
            self._feed.end(self._connection.error)

    def heard(self, event: AnyEvent) -> None:
        """An event came."""
        if not self._feed.is_new(event):
            return
        match event:
            case RoomJoined():
                self._entered(event)
            case RoomRefused():
                self._excluded(event)
            case Event() | NewerEvent():
                # It says nothing of this client's place in the room.
                pass
        self.apply(event, self._connection.user_id)
        self._feed.tell(event)

    def _tried(self, changes: Changes) -> None:
        if self.room is not None:
            self.show(merge.trying(self.room, changes))

    def _entered(self, told: RoomJoined) -> None:
        # Left while the connection was broken: the server did not hear of it.
        if self.status == "left":
            self._entry.leave()
            return
        self.show(merge.entered(self.room, told))
        self.become("joined")
        self._presence.send()

    def _excluded(self, told: RoomRefused) -> None:
        # One that names a command answers it, as the ack does. The others: removed from the room,
        # or not let in again.
        if "event" not in told.details and self.status != "left":
            refused = Refused(code=told.code, message=told.message, details=told.details)
            self._refuse(RefusedError(refused))

    def _not_entered(self, error: HarmonicError) -> None:
        # Another mode was refused: the room is as it was.
        if self.status == "joined":
            self.become("joined", error)
        else:
            self._refuse(error)

    def _refuse(self, error: HarmonicError) -> None:
        self.become("refused", error)
        self._updates.undo(error)
        self._feed.end(error)
