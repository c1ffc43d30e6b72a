"""From a stored record to the frames of a room's members: encoded once, for all of them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json, to_json

from harmonic_gateway.sockets import Frame
from harmonic_protocol.catalogue import EVENTS
from harmonic_protocol.log import (
    NOTICES,
    HistoryLost,
    MemberRemoved,
    MemberSet,
    MusicStored,
    Notice,
)
from harmonic_protocol.messages.declaration import Audience
from harmonic_protocol.messages.sets import ParametersUpdated
from harmonic_protocol.schema import WireModel
from harmonic_protocol.value import value

#: Events that carry all of what they tell, so that the latest one of a universe says it all.
_SUPERSEDING = {name for name, event in EVENTS.items() if issubclass(event, ParametersUpdated)}


@value
class RecordDelivery:
    """What one record means to a gateway: ``frames`` for all, ``notices`` for itself.

    ``request_id`` names the piece whose notes are still to be fetched, at that place of
    ``frames`` where they belong. ``record_id`` is the record's own: positions may come again.
    """

    frames: list[Frame | MusicStored]
    notices: list[Notice]
    record_id: str = ""

    @property
    def loses_history(self) -> bool:
        """Whether the record says that it does not continue what is before it."""
        return bool(self.notices) and any(isinstance(each, HistoryLost) for each in self.notices)

    def pieces(self) -> list[MusicStored]:
        """The pieces whose notes must be fetched before the frames can be sent."""
        return [frame for frame in self.frames if isinstance(frame, MusicStored)]


def encode(name: str, data: Mapping[str, Any], *, replayed: bool = False) -> Frame:
    """An event's frame. A number that JSON does not know becomes ``null``."""
    supersedes = f"{name} {data['universeId']}" if name in _SUPERSEDING else None
    body = to_json(data, inf_nan_mode="null")
    body = _as_replayed(body) if replayed else body
    return Frame.event(name, body, supersedes=supersedes, seq=data.get("seq", 0))


def _as_replayed(body: bytes) -> bytes:
    """The same frame for a client that missed it, with a field at its end."""
    return body[:-1] + b',"replayed":true}'


def encode_event(event: WireModel, name: str) -> Frame:
    """A declared event's frame."""
    return Frame.event(name, event.to_json())


#: A record of one event that replaces earlier ones, up to its data, as owners write it: the
#: record's id, the event's name, and the universe's id, with which the data begin.
_ONE_CHANGE = re.compile(
    rb'\{"id":"([^"\\]*)",(?:"after":"[^"\\]*",)?"at":"[^"\\]*","events":\['
    rb'\{"name":"(%b)","data":(?=\{"universeId":"([^"\\]*)")'
    % b"|".join(re.escape(name.encode()) for name in sorted(_SUPERSEDING))
)
#: What follows an event that is not the last one, or the events that are not the record's end.
_MORE_EVENTS, _MORE_FIELDS, _END = b'},{"name":', b'}],"', b"}]}"
#: Of the event: its own number precedes all that a set of parameters may call so.
_SEQ = re.compile(rb',"seq":(\d+)')


def read_record(payload: bytes) -> RecordDelivery:
    """A record's delivery; events of a name that only a newer version knows are passed over."""
    change = _one_change(payload)
    if change is not None:
        return change
    record = from_json(payload, allow_inf_nan=False)
    return deliver(record["events"], record["id"])


def _one_change(payload: bytes) -> RecordDelivery | None:
    """The delivery of a record of one change, as nearly all are; ``None`` if it may be another.

    Members are sent the very bytes that are stored.
    """
    head = _ONE_CHANGE.match(payload)
    # No text of a client can contain these, since JSON escapes quotes.
    if head is None or _MORE_EVENTS in payload or _MORE_FIELDS in payload:
        return None
    seq = _SEQ.search(payload, head.end())
    if seq is None or not payload.endswith(_END):
        return None
    record_id, name, universe_id = (part.decode() for part in head.groups())
    data = payload[head.end() : -len(_END)]
    frame = Frame.event(name, data, supersedes=f"{name} {universe_id}", seq=int(seq[1]))
    return RecordDelivery([frame], [], record_id)


def deliver(events: Sequence[dict[str, Any]], record_id: str = "") -> RecordDelivery:
    """The delivery of a record's events, each ``{name, data}``."""
    frames: list[Frame | MusicStored] = []
    notices: list[Notice] = []
    for event in events:
        name, data = event["name"], event["data"]
        notice = NOTICES.get(name)
        if notice is not None:
            notices.append(notice.model_validate(data))
        elif name == MusicStored.name:
            frames.append(MusicStored.model_validate(data))
        elif name in EVENTS and EVENTS[name].spec.audience is Audience.ROOM:
            frames.append(encode(name, data))
    # Who has lost the room with its role is told that alone.
    notices.sort(key=_is_of_role)
    return RecordDelivery(frames, notices, record_id)


def _is_of_role(notice: Notice) -> bool:
    return isinstance(notice, MemberSet | MemberRemoved)


def with_notes(music: MusicStored, notes: bytes, *, replayed: bool = False) -> Frame:
    """``music_generated`` from its stored part and the members that tell of its notes."""
    body = music.to_json()[:-1] + b"," + notes + b"}"
    return Frame.event(music.name, _as_replayed(body) if replayed else body, seq=music.seq)
