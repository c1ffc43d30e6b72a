"""What a recovered client is sent for a room: the current state and the missed events. Pure.

The invariants:

- The client gets every event after its place and up to the position of its snapshot, in order,
  or none. Of the record at its place, it gets those frames that it does not have.
- Presence is not sent again: the list of participants in ``room_joined`` is of that position.
- Each frame's offset names the place after it, so that a second cut loses nothing. The frames of
  current values have none: with one, a cut right after them would lose the rest.
"""

from dataclasses import dataclass

from harmonic_gateway.delivery.frames import encode_event
from harmonic_gateway.delivery.places import Position, place
from harmonic_gateway.recovery.kept import Missed
from harmonic_gateway.sockets import Frame
from harmonic_protocol.catalogue import EVENTS
from harmonic_protocol.internal import JoinResult, LoggedRecord
from harmonic_protocol.log import LoggedEvent, MusicStored
from harmonic_protocol.messages.declaration import Audience, Delivery
from harmonic_protocol.messages.rooms import ParticipantJoined, RoomJoined, StateRecovered


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """An event that members saw, the offset that a client has after it, and if it is sent again."""

    event: LoggedEvent
    offset: str
    is_replayed: bool


def shown_events(universe_id: str, logged: LoggedRecord) -> list[ShownEvent]:
    """What members saw of a record, in order."""
    shown = [event for event in logged.record.events if _is_shown(event)]
    at_record = Position.of_record(logged.position, logged.record.id)
    return [
        ShownEvent(
            event,
            place(universe_id, at_record, None if index == len(shown) else index),
            _is_replayed(event),
        )
        for index, event in enumerate(shown, start=1)
    ]


def _is_shown(event: LoggedEvent) -> bool:
    if event.name == MusicStored.name:
        return True
    return event.name in EVENTS and EVENTS[event.name].spec.audience is Audience.ROOM


def _is_replayed(event: LoggedEvent) -> bool:
    if event.name == MusicStored.name:
        return True
    return EVENTS[event.name].spec.delivery is Delivery.REPLAYED


def frames_of_return(
    result: JoinResult, position: int, missed: Missed | None = None
) -> list[Frame]:
    """All frames for a recovered client of a room as of ``position``, in order.

    Without ``missed``, the client starts again.
    """
    joined = result.room
    recovered = missed is not None
    missed = missed or Missed([], 0, joined.seq)
    frames: list[Frame] = []
    if result.announcement is not None:
        frames.append(encode_event(result.announcement, ParticipantJoined.spec.name))
    back = joined.model_copy(update={"from_seq": missed.from_seq})
    frames.append(encode_event(back, RoomJoined.spec.name))
    if result.current is not None:
        sets = result.current.events()
        frames.extend(encode_event(values, values.spec.name) for values in sets)
    frames.extend(missed.frames)
    told = StateRecovered(
        universe_id=joined.universe_id,
        recovered=recovered,
        missed=missed.events,
        from_seq=missed.from_seq,
        to_seq=joined.seq,
    )
    last = encode_event(told, StateRecovered.spec.name)
    last.offset = place(joined.universe_id, position)
    frames.append(last)
    return frames
