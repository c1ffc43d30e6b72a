"""The events of the log, by name: typed here, and as bytes in a record."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, assert_never

from harmonic_protocol.log import (
    NOTICES,
    OWNERS_NOTES,
    ConnectionJoined,
    ConnectionLeft,
    ConnectionModeChanged,
    HiddenEvent,
    LoggedEvent,
    MemberRemoved,
    MemberSet,
    MusicFailed,
    MusicRequested,
    MusicStored,
    Notice,
    OperationApplied,
    OwnersNote,
    Record,
    SettingsChanged,
    UniverseCreated,
    UniverseDeleted,
)
from harmonic_protocol.messages.parameters import PARAMETER_SETS
from harmonic_protocol.messages.rooms import ParticipantJoined, ParticipantLeft
from harmonic_protocol.messages.sets import ParametersUpdated

#: What a log holds. A function that dispatches on it ends in ``assert_never``.
LogEvent = (
    ParametersUpdated | ParticipantJoined | ParticipantLeft | MusicStored | Notice | OwnersNote
)

#: The events of the log by name.
LOG_EVENTS: Mapping[str, type[LogEvent]] = MappingProxyType(
    {
        **{one.event.spec.name: one.event for one in PARAMETER_SETS.values()},
        **{event.spec.name: event for event in (ParticipantJoined, ParticipantLeft)},
        MusicStored.name: MusicStored,
        **NOTICES,
        **OWNERS_NOTES,
    }
)


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """An event that only a newer version knows, or a service with more extensions.

    Its meaning is not known here. What is: ``seq`` numbers its frame, if it has one, and the
    ``parameters`` of ``<set>_updated`` are the values of that set.
    """

    name: str
    data: Mapping[str, Any]


def event_name(event: LogEvent) -> str:
    """The name under which the event stands in the log."""
    return event.name if isinstance(event, HiddenEvent) else event.spec.name


def frame_seq(event: LogEvent) -> int | None:
    """The number of the frame that members see of the event, if they see one."""
    match event:
        case ParametersUpdated() | ParticipantJoined() | ParticipantLeft() | MusicStored():
            return event.seq
        case (
            UniverseCreated()
            | SettingsChanged()
            | MemberSet()
            | MemberRemoved()
            | UniverseDeleted()
            | ConnectionJoined()
            | ConnectionLeft()
            | ConnectionModeChanged()
            | OperationApplied()
            | MusicRequested()
            | MusicFailed()
        ):
            return None
        case unreachable:
            assert_never(unreachable)


def encode_record(record_id: str, at: str, events: Iterable[LogEvent]) -> bytes:
    """A record's bytes: what :class:`harmonic_protocol.log.Record` reads."""
    body = b",".join(
        b'{"name":"%s","data":%s}' % (event_name(event).encode(), event.to_json())
        for event in events
    )
    return b'{"id":%s,"at":"%s","events":[%s]}' % (
        json.dumps(record_id).encode(),
        at.encode(),
        body,
    )


def decode_record(payload: bytes) -> tuple[str, list[LogEvent | UnknownEvent]]:
    """A record's id and events.

    Raises ``ValidationError`` for bytes that no version of this service wrote.
    """
    record = Record.model_validate_json(payload)
    return record.id, [_decoded(event) for event in record.events]


def _decoded(event: LoggedEvent) -> LogEvent | UnknownEvent:
    declared = LOG_EVENTS.get(event.name)
    if declared is None:
        return UnknownEvent(event.name, event.data)
    return declared.model_validate(event.data)
