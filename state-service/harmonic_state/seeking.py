"""Finds events of a log by their numbers, which rise with the positions of their records."""

from pydantic import ValidationError

from harmonic_protocol.internal import LogPart, ReadEvents
from harmonic_protocol.value import value
from harmonic_state.domain.events import UnknownEvent, frame_seq, read_record
from harmonic_state.journal import Journal
from harmonic_state.parts import MAX_PART_BYTES, log_part
from harmonic_state.ring import RecentRecord

#: Records that are read at once in the search for one with a frame: most have one.
LOOKED_AT = 8


@value
class _Numbered:
    """A record with frames: its position, and the numbers of its first and last frame."""

    position: int
    first: int
    last: int


async def read_events(journal: Journal, request: ReadEvents) -> LogPart:
    """The records from the first frame above a number on, up to a position.

    Raise :class:`BusUnavailable` if the log cannot be read.
    """
    oldest = await _next(journal, request.universe_id, 1)
    if oldest is None or oldest.position > request.up_to_position:
        return LogPart(records=(), complete=True)
    nothing = LogPart(records=(), complete=True, first_seq=oldest.first)
    if request.after_seq >= request.last_seq:
        return nothing
    low, high = oldest.position, request.up_to_position + 1
    while low < high:
        middle = (low + high) // 2
        found = await _next(journal, request.universe_id, middle)
        if found is None or found.position >= high or found.last > request.after_seq:
            high = middle
        else:
            low = found.position + 1
    records = await journal.records(
        request.universe_id, after_position=low - 1, enough_bytes=MAX_PART_BYTES + 1
    )
    due = [record for record in records if record.position <= request.up_to_position]
    if not due:
        return nothing
    part = log_part(due)
    return part.model_copy(update={"first_seq": oldest.first})


async def _next(journal: Journal, universe_id: str, position: int) -> _Numbered | None:
    """The first record with frames at a position or above; ``None`` if there is none."""
    while True:
        records = await journal.records(
            universe_id, after_position=position - 1, enough_bytes=0, at_once=LOOKED_AT
        )
        for record in records:
            numbers = _numbers(record)
            if numbers:
                return _Numbered(record.position, numbers[0], numbers[-1])
        if len(records) < LOOKED_AT:
            return None
        position = records[-1].position + 1


def _numbers(record: RecentRecord) -> list[int]:
    """The numbers of a record's frames; none for a message that no owner wrote."""
    try:
        events = read_record(record.payload).events
    except ValidationError:
        return []
    found = [
        event.data.get("seq") if isinstance(event, UnknownEvent) else frame_seq(event)
        for event in events
    ]
    return [number for number in found if isinstance(number, int)]
