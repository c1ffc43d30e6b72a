"""Parts of a log in replies to gateways: as many records as fit into one reply."""

from collections.abc import Iterable

from harmonic_protocol.internal import LoggedRecord, LogPart
from harmonic_protocol.log import Record
from harmonic_state.ring import RecentRecord

#: Bytes of a log's records in one reply: below the broker's limit of a message.
MAX_PART_BYTES = 512 * 1024


def log_part(records: Iterable[RecentRecord]) -> LogPart:
    """The first of ``records``, at least one, and whether they are all of them."""
    part: list[LoggedRecord] = []
    size = 0
    for record in records:
        size += len(record.payload)
        if part and size > MAX_PART_BYTES:
            return LogPart(records=tuple(part), complete=False)
        part.append(
            LoggedRecord(
                position=record.position, record=Record.model_validate_json(record.payload)
            )
        )
    return LogPart(records=tuple(part), complete=True)
