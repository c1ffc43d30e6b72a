"""What a client that is back in a room is sent: what it missed, between what is so now. Pure.

The invariants:

- The client gets every event after its place and up to the position of its snapshot, in order,
  or none. Of the record at its place, it gets those frames that it does not have.
- Presence is not sent again: the list of participants in ``room_joined`` is of that position.
- Each frame's offset names the place after it, so that a second cut loses nothing. The frames of
  current values have none: with one, a cut right after them would lose the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harmonic_gateway.delivery.frames import encode_event
from harmonic_gateway.delivery.places import Place, Position, place
from harmonic_gateway.sockets import Frame
from harmonic_protocol.catalogue import EVENTS
from harmonic_protocol.internal import JoinResult, LoggedRecord
from harmonic_protocol.log import LoggedEvent, MusicStored
from harmonic_protocol.messages.declaration import Audience, Delivery
from harmonic_protocol.messages.rooms import ParticipantJoined, RoomJoined, StateRecovered


@dataclass(frozen=True, slots=True)
class MissedEvent:
    """An event that is sent again, and the offset that a client has after it."""

    event: LoggedEvent
    offset: str


@dataclass(frozen=True, slots=True)
class Missed:
    """What is sent again, and the ``seq`` after which it comes."""

    events: tuple[MissedEvent, ...]
    from_seq: int


def missed_since(
    universe_id: str, at: Place, records: Sequence[LoggedRecord], to_seq: int
) -> Missed:
    """What a client at a place missed, of the records from that position on."""
    events: list[MissedEvent] = []
    first_seq: int | None = None
    for logged in records:
        shown = [event for event in logged.record.events if _is_shown(event)]
        known = (at.frames or len(shown)) if logged.position == at.position else 0
        for index, event in enumerate(shown[known:], start=known + 1):
            if first_seq is None:
                first_seq = event.data.get("seq")
            if _is_replayed(event):
                frames = None if index == len(shown) else index
                at_record = Position.of_record(logged.position, logged.record.id)
                offset = place(universe_id, at_record, frames)
                events.append(MissedEvent(event, offset))
    return Missed(tuple(events), to_seq if first_seq is None else first_seq - 1)


def _is_shown(event: LoggedEvent) -> bool:
    if event.name == MusicStored.name:
        return True
    return event.name in EVENTS and EVENTS[event.name].spec.audience is Audience.ROOM


def _is_replayed(event: LoggedEvent) -> bool:
    if event.name == MusicStored.name:
        return True
    return EVENTS[event.name].spec.delivery is Delivery.REPLAYED


def frames_of_return(
    result: JoinResult, position: int, again: Sequence[Frame], from_seq: int, *, recovered: bool
) -> list[Frame]:
    """All that a client is sent that is back in a room as of ``position``, in order."""
    joined = result.room
    frames: list[Frame] = []
    if result.announcement is not None:
        frames.append(encode_event(result.announcement, ParticipantJoined.spec.name))
    back = joined.model_copy(update={"from_seq": from_seq})
    frames.append(encode_event(back, RoomJoined.spec.name))
    if result.current is not None:
        sets = result.current.events()
        frames.extend(encode_event(values, values.spec.name) for values in sets)
    frames.extend(again)
    told = StateRecovered(
        universe_id=joined.universe_id,
        recovered=recovered,
        missed=len(again),
        from_seq=from_seq,
        to_seq=joined.seq,
    )
    last = encode_event(told, StateRecovered.spec.name)
    last.offset = place(joined.universe_id, position)
    frames.append(last)
    return frames
