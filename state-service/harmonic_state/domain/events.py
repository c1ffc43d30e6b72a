"""The events of the log, by name: typed here, and as bytes in a record."""

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from harmonic_protocol.catalogue import EVENTS
from harmonic_protocol.log import HIDDEN_EVENTS, HiddenEvent, Record
from harmonic_protocol.messages.declaration import Delivery, Event

LogEvent = Event | HiddenEvent


def event_name(event: LogEvent) -> str:
    """The name under which the event stands in the log."""
    return event.name if isinstance(event, HiddenEvent) else event.spec.name


_STORED = {
    name: event
    for name, event in EVENTS.items()
    if event.spec.delivery in (Delivery.REPLAYED, Delivery.PRESENCE)
}
_BY_NAME: Mapping[str, type[LogEvent]] = MappingProxyType(
    {**_STORED, **{event.name: event for event in HIDDEN_EVENTS}}
)


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


def decode_record(payload: bytes) -> tuple[str, list[LogEvent]]:
    """A record's id and events, without those of a name that only a newer version knows.

    Raises ``ValidationError`` for bytes that no version of this service wrote.
    """
    record = Record.model_validate_json(payload)
    events = [
        _BY_NAME[event.name].model_validate(event.data)
        for event in record.events
        if event.name in _BY_NAME
    ]
    return record.id, events
