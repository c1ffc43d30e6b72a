"""The events of the log, by name: as typed values here, and as bytes in a record."""

from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring_ascii
from types import MappingProxyType
from typing import Any, assert_never

from harmonic_protocol.log import (
    NOTICES,
    OWNERS_NOTES,
    ActionNoted,
    BarRecorded,
    ConnectionJoined,
    ConnectionLeft,
    ConnectionModeChanged,
    HiddenEvent,
    HistoryForgotten,
    HistoryLost,
    LoggedEvent,
    MemberRemoved,
    MemberSet,
    MusicFailed,
    MusicRequested,
    MusicStored,
    Notice,
    OperationApplied,
    OwnerChanged,
    OwnersNote,
    Record,
    SettingsChanged,
    UniverseCreated,
    UniverseDeleted,
    UserBanned,
    UserUnbanned,
)
from harmonic_protocol.messages.endless import MusicStarted, MusicStopped
from harmonic_protocol.messages.parameters import PARAMETER_SETS
from harmonic_protocol.messages.rooms import ParticipantJoined, ParticipantLeft
from harmonic_protocol.messages.sets import ParametersUpdated
from harmonic_protocol.messages.universes import UniverseUpdated, UserErased
from harmonic_protocol.value import value

#: Every event of a log. A function that dispatches on it ends in ``assert_never``.
LogEvent = (
    ParametersUpdated
    | ParticipantJoined
    | ParticipantLeft
    | UniverseUpdated
    | UserErased
    | MusicStarted
    | MusicStopped
    | MusicStored
    | Notice
    | OwnersNote
)

#: The events of the log by name.
LOG_EVENTS: Mapping[str, type[LogEvent]] = MappingProxyType(
    {
        **{one.event.spec.name: one.event for one in PARAMETER_SETS.values()},
        **{
            event.spec.name: event
            for event in (
                ParticipantJoined,
                ParticipantLeft,
                UniverseUpdated,
                UserErased,
                MusicStarted,
                MusicStopped,
            )
        },
        MusicStored.name: MusicStored,
        **NOTICES,
        **OWNERS_NOTES,
    }
)


@value
class UnknownEvent:
    """An event that a newer version has written, or a service with more extensions.

    Its meaning is not known here, except for two parts: ``seq`` numbers its frame, if it has one,
    and ``parameters`` of ``<set>_updated`` are the values of that set.
    """

    name: str
    data: Mapping[str, Any]


def event_name(event: LogEvent) -> str:
    """The name under which the event stands in the log."""
    return event.name if isinstance(event, HiddenEvent) else event.spec.name


def frame_seq(event: LogEvent) -> int | None:
    """The number of the frame that members see of the event; ``None`` if they see none."""
    match event:
        case (
            ParametersUpdated()
            | ParticipantJoined()
            | ParticipantLeft()
            | UniverseUpdated()
            | UserErased()
            | MusicStarted()
            | MusicStopped()
            | MusicStored()
        ):
            return event.seq
        case (
            UniverseCreated()
            | SettingsChanged()
            | OwnerChanged()
            | MemberSet()
            | MemberRemoved()
            | UserBanned()
            | UserUnbanned()
            | UniverseDeleted()
            | ConnectionJoined()
            | ConnectionLeft()
            | ConnectionModeChanged()
            | OperationApplied()
            | MusicRequested()
            | MusicFailed()
            | BarRecorded()
            | HistoryLost()
            | ActionNoted()
            | HistoryForgotten()
        ):
            return None
        case unreachable:
            assert_never(unreachable)


@value
class DecodedRecord:
    """A record as it was stored; ``after`` is empty if its writer did not name the one before."""

    id: str
    at: str
    after: str
    events: list[LogEvent | UnknownEvent]


def encode_record(record_id: str, at: str, events: Iterable[LogEvent], *, after: str = "") -> bytes:
    """A record's bytes, in the form that :class:`harmonic_protocol.log.Record` reads."""
    body = b",".join(
        [
            b'{"name":"%s","data":%s}' % (event_name(event).encode(), event.to_json())
            for event in events
        ]
    )
    named = b'"after":%s,' % encode_basestring_ascii(after).encode() if after else b""
    return b'{"id":%s,%b"at":"%s","events":[%s]}' % (
        encode_basestring_ascii(record_id).encode(),
        named,
        at.encode(),
        body,
    )


def read_record(payload: bytes) -> DecodedRecord:
    """A record from its bytes.

    Raises ``ValidationError`` for bytes that no version of this service wrote.
    """
    record = Record.model_validate_json(payload)
    events = [_decoded(event) for event in record.events]
    return DecodedRecord(record.id, record.at, record.after or "", events)


def decode_record(payload: bytes) -> tuple[str, list[LogEvent | UnknownEvent]]:
    """A record's id and events; raises like :func:`read_record`."""
    record = read_record(payload)
    return record.id, record.events


#: How this event's JSON begins in a record. No text of a client can contain it, since JSON
#: escapes quotes.
_HISTORY_LOST = b'{"name":"%s"' % HistoryLost.name.encode()


def loses_history(payload: bytes) -> bool:
    """Whether a record says that it does not continue what is before it."""
    return _HISTORY_LOST in payload


def forgets_history(events: Iterable[LogEvent]) -> bool:
    """Whether a log begins anew with a record of these events."""
    for event in events:  # noqa: SIM110 -- any() takes a generator for each record
        if type(event) is HistoryForgotten:
            return True
    return False


def _decoded(event: LoggedEvent) -> LogEvent | UnknownEvent:
    declared = LOG_EVENTS.get(event.name)
    if declared is None:
        return UnknownEvent(event.name, event.data)
    return declared.model_validate(event.data)
