"""Whether a log continues what is known of it, and how to go on where it does not. Pure.

A log may lose its end (a power failure, a restored backup), its middle (a flipped byte), or all of
its records. Then the universe is what was known of it, from a snapshot or from memory, plus all
newer records that the log still holds. The log goes on after its real end.

A loss is written down once, as ``history_lost``. An owner that finds the log not to continue what
it knows, say an old snapshot, looks for that event: if its writer knew as much, and the log is
whole from there on, nothing is left to be written down.
"""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import ValidationError

from harmonic_protocol.log import HistoryLost, record_mark
from harmonic_state.domain.events import DecodedRecord, read_record
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.mending import covers
from harmonic_state.loaded import Loaded
from harmonic_state.ring import RecentRecord


class UniverseLost(Exception):
    """A log does not reach back to the universe's creation, and there is no snapshot of it."""


def continued(known: Loaded, records: Sequence[RecentRecord]) -> Loaded | None:
    """``known`` with the records that follow it; ``None`` if the log does not continue it.

    ``records`` are all from ``known.position`` on, with the record there, to the log's end. Between
    them and ``known``, no record may be missing.
    """
    rest = after(known.position, known.record_id, records)
    if rest is None:
        return None
    universe, position, record_id = known.universe, known.position, known.record_id
    is_damaged, ends_in_loss = known.is_damaged, known.ends_in_loss
    begins = universe is not None
    for record in rest:
        decoded = _decoded(record)
        if record.previous != position or decoded is None:
            return None
        universe = fold(universe, decoded.events)
        begins |= bool(decoded.events)
        position, record_id = record.position, decoded.id
        lost = _loss_in(decoded)
        ends_in_loss = lost is not None
        is_damaged = is_damaged and (lost is None or not covers(lost, known.seq))
    if universe is None and begins:
        return None
    return Loaded(universe, position, known.coverage, record_id, is_damaged, ends_in_loss)


def after(
    position: int,
    record_id: str,
    records: Sequence[RecentRecord],
    mark: int | None = None,
) -> Sequence[RecentRecord] | None:
    """Those of ``records`` that follow a given record; ``None`` if they do not follow it.

    ``records`` are those from ``position`` on. Without a ``record_id`` or ``mark``, only the
    position counts.
    """
    if not position:
        return None if records and records[0].previous else records
    if not records:
        return None
    first = records[0]
    if first.position != position:
        # The record itself is trimmed; the one after it may name it.
        decoded = _decoded(first)
        named = decoded.after if decoded is not None else ""
        is_same = not named or is_named(named, record_id, mark)
        return records if first.previous == position and is_same else None
    return records[1:] if is_record(first, record_id, mark) else None


def is_record(record: RecentRecord, record_id: str, mark: int | None = None) -> bool:
    """Whether a record has this id and this mark; what is not given matches."""
    if not record_id and mark is None:
        return True
    own_id = record.id
    if not own_id:
        decoded = _decoded(record)
        own_id = decoded.id if decoded is not None else ""
    return is_named(own_id, record_id, mark)


def is_named(own_id: str, record_id: str, mark: int | None) -> bool:
    """Whether an id is this one and has this mark; what is not given matches."""
    return record_id in {"", own_id} and mark in {None, record_mark(own_id)}


def mended(known: Loaded, records: Sequence[RecentRecord]) -> Loaded:
    """``known`` with all newer records of the whole log, at the log's real end.

    It is damaged unless the log says so already. Raise :class:`UniverseLost` if nothing is left of
    the universe.
    """
    universe = known.universe
    record_id, previous = "", 0
    is_damaged, ends_in_loss = True, False
    for record in records:
        decoded = _decoded(record)
        is_damaged |= decoded is None or record.previous != previous
        previous = record.position
        if decoded is None:
            continue
        lost = _loss_in(decoded)
        ends_in_loss = lost is not None
        if lost is not None:
            is_damaged = not covers(lost, known.seq)
        record_id = decoded.id
        is_newer = universe is not None and decoded.at > universe.updated_at
        if record.position > known.position or is_newer:
            universe = fold(universe, decoded.events)
    if universe is None:
        raise UniverseLost
    end = records[-1].position if records else 0
    # Older marks are void in a log that has other records at their positions.
    coverage = replace(known.coverage, marks=())
    return Loaded(universe, end, coverage, record_id, is_damaged, ends_in_loss)


def first_unreadable(records: Sequence[RecentRecord]) -> int:
    """The position of the first record that cannot be read; of the last one if all can."""
    unreadable = (record for record in records if _decoded(record) is None)
    return next(unreadable, records[-1]).position


def cut_off(loaded: Loaded, end: int) -> bool:
    """Whether a log was restored from a backup and nothing was stored since.

    Its stream ended at ``end`` in the backup, 0 if it was not restored. Records after that may have
    been seen, and are lost.
    """
    universe = loaded.universe
    return 0 < loaded.position <= end and universe is not None and not universe.deleted


def _loss_in(decoded: DecodedRecord) -> HistoryLost | None:
    return next((each for each in decoded.events if isinstance(each, HistoryLost)), None)


def _decoded(record: RecentRecord) -> DecodedRecord | None:
    try:
        return read_record(record.payload)
    except ValidationError:
        return None
