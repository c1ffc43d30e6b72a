"""The state of a room: ``merge``, driven by events."""

import asyncio
from collections.abc import Callable
from typing import Literal

from harmonic_client import merge
from harmonic_client.changes import Changes, UniverseParameters
from harmonic_client.connection import OVER, ServerConnection
from harmonic_client.errors import HarmonicError, UnansweredError
from harmonic_client.events import AnyEvent, NewerEvent
from harmonic_client.signals import SILENCE_S
from harmonic_protocol.messages.declaration import Event
from harmonic_protocol.messages.endless import EndlessPiece, MusicStarted, MusicStopped
from harmonic_protocol.messages.parameters import PARAMETER_SETS
from harmonic_protocol.messages.presence import ParticipantState, PresenceStates, PresenceUpdated
from harmonic_protocol.messages.previews import ParametersPreviewed
from harmonic_protocol.messages.rooms import ParticipantJoined, ParticipantLeft, RoomJoined
from harmonic_protocol.messages.sets import ParametersUpdated
from harmonic_protocol.values import Mode, Participant

#: ``away``: the connection is broken, and what is shown may be old. ``refused``: see ``error``.
RoomStatus = Literal["joining", "joined", "away", "refused", "left"]


class RoomState:
    """The current state of a room, to read and to wait on."""

    def __init__(self, universe_id: str, connection: ServerConnection) -> None:
        self.id = universe_id
        self._connection = connection
        self.status: RoomStatus = "joining"
        #: The last refusal, until a command is carried out.
        self.error: Exception | None = None
        #: When updates go on after a limit refused one, by ``client.clock.own_ms()``.
        self.held_back_until_ms: float | None = None
        #: The endless piece that is played, if any.
        self.endless_piece: EndlessPiece | None = None
        self._room: merge.RoomView | None = None
        self._silences: dict[str, asyncio.TimerHandle] = {}

    @property
    def room(self) -> merge.RoomView | None:
        """The room, with changes under way; ``None`` if it was not joined."""
        return self._room

    @property
    def mode(self) -> Mode | None:
        """What this client may do in the room."""
        return self._room.mode if self._room else None

    @property
    def parameters(self) -> UniverseParameters:
        """All parameters, this client's own changes included before they are stored.

        Raise ``LookupError`` if the room is not joined.
        """
        if self._room is None:
            raise LookupError(f"the room of {self.id} is not joined")
        return merge.parameters_of(self._room)

    @property
    def participants(self) -> tuple[Participant, ...]:
        """Who is in the room."""
        return self._room.participants if self._room else ()

    @property
    def previews(self) -> merge.Previews:
        """The previews of others, by user."""
        return self._room.previews if self._room else {}

    @property
    def presences(self) -> merge.Presences:
        """The states of participants, by user. This client's own state is there at once."""
        return self._room.presences if self._room else {}

    @property
    def unsettled(self) -> bool:
        """Whether changes of this client are not stored yet."""
        return self._room is not None and bool(self._room.sent or self._room.waiting)

    async def until(self, holds: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Wait until something is true of this universe; raise ``TimeoutError`` if it is not."""
        await self._connection.watch.until(holds, timeout_s)

    async def joined(self) -> None:
        """Wait until the room is joined. Raise the refusal, or an error if it takes too long."""
        await self._connection.expect(self.is_settled)
        if self.status == "refused" and self.error is not None:
            raise self.error
        if self.status == "left":
            raise UnansweredError("the room was left")
        if self.status != "joined":
            self._connection.check()

    def is_settled(self) -> bool:
        """Whether the room is joined, or waiting longer is useless."""
        ends = self.status not in ("joining", "away")
        return ends or self._connection.status in OVER

    def show(self, room: merge.RoomView) -> None:
        """Replace the room's state."""
        self._room = room
        self._connection.watch.changed()

    def become(self, status: RoomStatus, error: Exception | None = None) -> None:
        """Note another status in the room. After a refusal, the room is not shown any more."""
        self.status, self.error = status, error
        if status == "refused":
            self._room = None
        self._connection.watch.changed()

    def updated(self, error: HarmonicError | None = None, wait_ms: float = 0.0) -> None:
        """An update was carried out, or refused; at a limit, updates go on in ``wait_ms``."""
        self.error = error
        self.held_back_until_ms = self._connection.clock.own_ms() + wait_ms if wait_ms else None
        self._connection.watch.changed()

    def apply(self, event: AnyEvent, me: str | None) -> None:
        """Apply an event to the state, if it concerns the room."""
        room = self._room
        if room is None or self.status == "left":
            return
        self._hear_of_piece(event)
        match event:
            case ParametersUpdated():
                self.show(merge.updated(room, event))
            case ParticipantJoined():
                self.show(merge.arrived(room, event.participant, event.seq, me))
            case ParticipantLeft():
                self.show(merge.left(room, event.user_id, event.seq))
            case PresenceUpdated():
                told = ParticipantState(user_id=event.user_id, state=event.state)
                self.show(merge.shown(room, (told,)))
            case PresenceStates():
                self.show(merge.shown(room, event.states))
            case ParametersPreviewed():
                self._previewed(room, event)
            case Event() | NewerEvent():
                pass

    def _hear_of_piece(self, event: AnyEvent) -> None:
        """Know which endless piece is played, if an event tells of one."""
        match event:
            case RoomJoined():
                self.endless_piece = event.endless_piece
            case MusicStarted():
                known = event.model_dump() | {"started_at": event.timestamp}
                self.endless_piece = EndlessPiece.model_validate(known)
            case MusicStopped():
                self.endless_piece = None
            case Event() | NewerEvent():
                return
        self._connection.watch.changed()

    def _previewed(self, room: merge.RoomView, event: ParametersPreviewed) -> None:
        user = event.user_id
        if silence := self._silences.pop(user, None):
            silence.cancel()
        changes: Changes = {
            name: tried.model_dump(exclude_unset=True)
            for name in PARAMETER_SETS
            if (tried := getattr(event, name)) is not None
        }
        self.show(merge.previewed(room, user, changes))
        if not merge.is_empty(changes):
            loop = asyncio.get_running_loop()
            self._silences[user] = loop.call_later(SILENCE_S, self._silent, user)

    def _silent(self, user: str) -> None:
        del self._silences[user]
        if self._room is not None:
            self.show(merge.previewed(self._room, user, {}))
