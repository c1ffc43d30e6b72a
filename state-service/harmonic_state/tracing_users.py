"""What is stored of a user in a universe: read from the streams, whatever owners have in memory."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from harmonic_protocol.intervening import TracedEvent, TraceUser, UserTraced
from harmonic_protocol.log import Record
from harmonic_state.domain.erasing import traced
from harmonic_state.journal import Journal
from harmonic_state.parts import MAX_PART_BYTES
from harmonic_state.ring import RecentRecord


async def trace_user(journal: Journal, request: TraceUser) -> UserTraced:
    """The parts of the snapshot and of the log that name a user, as much as fits in one reply.

    Raise :class:`BusUnavailable` if the streams cannot be read.
    """
    if not request.events_only:
        universe = (await journal.snapshot(request.universe_id)).universe
        state = {} if universe is None else traced(universe, request.user_id)
        if universe is not None and state:
            # State and events together may exceed one reply.
            return UserTraced(
                title=universe.name, deleted=universe.deleted, state=state, next_after=0
            )
    records = await journal.records(
        request.universe_id,
        after_position=request.after_position,
        enough_bytes=MAX_PART_BYTES + 1,
    )
    found: list[TracedEvent] = []
    size, after, next_after = 0, request.after_position, None
    for record in records:
        size += len(record.payload)
        if found and size > MAX_PART_BYTES:
            next_after = after
            break
        found.extend(_naming(record, request.user_id))
        after = record.position
    else:
        # Reading stops early only after this many bytes.
        next_after = after if size > MAX_PART_BYTES else None
    return UserTraced(events=tuple(found), next_after=next_after)


def _naming(record: RecentRecord, user_id: str) -> Iterator[TracedEvent]:
    """The events of a record that name a user; an unreadable record is reported as one event."""
    try:
        read = Record.model_validate_json(record.payload)
    except ValidationError:
        if user_id.encode() in record.payload:
            yield TracedEvent(position=record.position, at="", name="unreadable", data={})
        return
    for event in read.events:
        if _names(event.data, user_id):
            yield TracedEvent(
                position=record.position, at=read.at, name=event.name, data=event.data
            )


def _names(value: Any, user_id: str) -> bool:
    if isinstance(value, dict):
        return user_id in value or any(_names(each, user_id) for each in value.values())
    if isinstance(value, list):
        return any(_names(each, user_id) for each in value)
    return bool(value == user_id)
