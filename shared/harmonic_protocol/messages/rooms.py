"""Entering and leaving a universe's room, and who is there."""

from typing import Annotated, ClassVar

from pydantic import Field

from harmonic_protocol.messages.declaration import (
    Audience,
    CommandSpec,
    Delivery,
    Event,
    EventSpec,
    Failure,
    OwnerCommand,
    RateClass,
    Switch,
)
from harmonic_protocol.messages.endless import EndlessPiece
from harmonic_protocol.messages.parameters import Parameters
from harmonic_protocol.refusals import Code, Details
from harmonic_protocol.values import Mode, Participant, Timestamp, UniverseId, UserId


class JoinRoom(OwnerCommand):
    """Enter a universe's room, or change one's mode in it."""

    spec: ClassVar = CommandSpec(
        "join_room",
        RateClass.ROOMS,
        answers=("room_joined", "participant_joined"),
        failure=Failure.ROOM_ERROR,
        repeatable=True,
        switch=Switch.JOINS,
    )

    mode: Mode


class LeaveRoom(OwnerCommand):
    """Leave a universe's room."""

    spec: ClassVar = CommandSpec(
        "leave_room",
        RateClass.ROOMS,
        answers=("room_left", "participant_left"),
        failure=Failure.ROOM_ERROR,
    )


class RoomJoined(Event):
    """The caller has joined: the room as of ``seq``; later events continue from there."""

    spec: ClassVar = EventSpec("room_joined", Delivery.DIRECT, Audience.CALLER)

    universe_id: UniverseId
    participants: tuple[Participant, ...]
    timestamp: Timestamp
    mode: Mode
    parameters: Parameters
    seq: int
    from_seq: int | None = None
    endless_piece: Annotated[
        EndlessPiece | None, Field(description="the endless piece that the universe plays, if any")
    ] = None


class StateRecovered(Event):
    """The caller is back in a room where it was before, and has been sent what it missed.

    ``recovered`` is false if the missed events are no longer available: the room's current state
    was sent instead.
    """

    spec: ClassVar = EventSpec("state_recovered", Delivery.DIRECT, Audience.CALLER)

    universe_id: UniverseId
    recovered: bool
    missed: int
    from_seq: int
    to_seq: int


class RoomLeft(Event):
    """The caller has left the room."""

    spec: ClassVar = EventSpec("room_left", Delivery.DIRECT, Audience.CALLER)

    universe_id: UniverseId
    timestamp: Timestamp


class RoomRefused(Event):
    """Joining or leaving failed, or the room was closed to the caller."""

    spec: ClassVar = EventSpec("room_error", Delivery.DIRECT, Audience.CALLER)

    error: str
    code: Code
    message: str
    details: Details = Field(default_factory=dict)
    universe_id: str | None = None


class ParticipantJoined(Event):
    """Someone joined the room, or changed mode in it."""

    spec: ClassVar = EventSpec("participant_joined", Delivery.PRESENCE)

    universe_id: UniverseId
    participant: Participant
    timestamp: Timestamp
    seq: int


class ParticipantLeft(Event):
    """The last connection of someone left the room."""

    spec: ClassVar = EventSpec("participant_left", Delivery.PRESENCE)

    universe_id: UniverseId
    user_id: UserId
    timestamp: Timestamp
    seq: int
