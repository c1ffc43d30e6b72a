"""The only reader and writer of the universes' logs and snapshots.

A universe's log is one subject, and an append names the position that it follows: of two owners
that append at once, one fails. Positions are the stream's sequences. A log is trimmed only below a
stored snapshot. While no snapshot can be stored, the log grows up to its bound, and then refuses
more.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType

from harmonic_protocol import subjects
from harmonic_runtime.bus.client import BusUnavailable, MessageTooLarge
from harmonic_runtime.bus.streams import (
    AppendContended,
    AppendUnknown,
    Stored,
    StreamFull,
    Streams,
    WrongSequence,
)
from harmonic_runtime.bus.wire import NO_HEADERS
from harmonic_state.domain.events import LogEvent, decode_record, encode_record
from harmonic_state.drafts import Draft
from harmonic_state.lineage import continued, cut_off, mended
from harmonic_state.loaded import Coverage, Loaded
from harmonic_state.ring import RecentRecord
from harmonic_state.settings import StateSettings
from harmonic_state.skipping import SkippedMessages
from harmonic_state.snapshots import Snapshot, encode_snapshot, read_snapshot

#: Records of a log that are read in one call.
READ_RECORDS = 500
#: Bytes of one record at most: below the broker's default limit of a message, headers included.
MAX_RECORD_BYTES = 900_000
#: Seconds for which an append of unknown outcome is repeated at the same position: a stream that
#: lost its leader has another one after 4 to 9 s.
RESOLVING_S = 15.0
RESOLVING_PAUSE_S = 0.1
#: The payload that stands for a message that is no record.
NOTHING = encode_record("", "1970-01-01T00:00:00.000Z", ())


class Conflict(Exception):
    """The log holds records that the writer has not seen: read them, and decide again."""


class RecordTooLarge(Exception):
    """The events do not fit into one record."""


class Journal:
    """Loads universes and appends to their logs; each record has an id of its own.

    A message that no state service has stored counts as a record without events. ``restored_ends``
    are the sequences at which streams ended in the backup that they were restored from.
    """

    def __init__(
        self,
        streams: Streams,
        settings: StateSettings,
        next_record_id: Callable[[], str],
        skipped: SkippedMessages,
        restored_ends: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._streams = streams
        self._settings = settings
        self._next_record_id = next_record_id
        self._skipped = skipped
        self._restored_ends = restored_ends

    async def load(
        self, universe_id: str, known: Loaded | None = None
    ) -> tuple[Loaded, list[RecentRecord]]:
        """The latest snapshot, or ``known`` if that is newer, with the records after it applied.

        Also return these records. Raise like :meth:`advance`.
        """
        stored = await self.snapshot(universe_id)
        newest = stored if known is None or stored.position > known.position else known
        loaded, records = await self.advance(universe_id, newest, contended=False)
        end = self._restored_ends.get(subjects.log_stream_of(universe_id), 0)
        if cut_off(loaded, end):
            return replace(loaded, is_damaged=True), []
        return loaded, records

    async def advance(
        self, universe_id: str, known: Loaded, *, contended: bool = True
    ) -> tuple[Loaded, list[RecentRecord]]:
        """``known``, brought up to the end of the log, and the records in between.

        With ``contended``, there should be records in between. If there are none, and the broker
        cannot read the log's last message, the log is damaged; not if that message says so.

        If other owners trimmed records that were not read here, their snapshot replaces ``known``.
        If the log continues neither, the result is what is known, at the log's real end, without
        records in between. Raise :class:`UniverseLost` if nothing is known of the universe.
        """
        records = await self.records(universe_id, after_position=max(0, known.position - 1))
        loaded = continued(known, records)
        if loaded is not None:
            newer = [record for record in records if record.position > known.position]
            if contended and not newer and known.position and not known.ends_in_loss:
                is_unreadable = await self.end(universe_id) is None
                loaded = replace(loaded, is_damaged=loaded.is_damaged or is_unreadable)
            return loaded, newer
        stored = await self.snapshot(universe_id)
        if stored.position > known.position:
            return await self.advance(universe_id, stored)
        return mended(known, await self.records(universe_id, after_position=0)), []

    async def snapshot(self, universe_id: str) -> Loaded:
        """The universe by its latest snapshot; without one, at position 0."""
        stored = await self._streams.last(subjects.SNAPSHOT_STREAM, subjects.snapshot(universe_id))
        return Loaded(None, 0) if stored is None else read_snapshot(stored, self._skipped)

    async def records(
        self,
        universe_id: str,
        *,
        after_position: int,
        enough_bytes: float = math.inf,
        at_once: int = 0,
    ) -> list[RecentRecord]:
        """All records of a log above a position, as far as they are kept.

        After the second one, reading stops once they have about ``enough_bytes``.
        """
        found: list[RecentRecord] = []
        size_bytes, at_once = 0, at_once or READ_RECORDS
        while True:
            part = await self._streams.read(
                subjects.log_stream_of(universe_id),
                subjects.log(universe_id),
                from_sequence=after_position + 1,
                limit=at_once,
            )
            for stored in part:
                if len(found) > 1:
                    size_bytes += len(stored.payload)
                found.append(self._record(stored, found[-1].position if found else 0))
            if len(part) < at_once or size_bytes >= enough_bytes:
                return found
            after_position = part[-1].sequence

    async def newest(self, universe_ids: Sequence[str]) -> dict[str, RecentRecord]:
        """The last records of many logs, in one call; the answering replica may be a bit behind."""
        by_stream: dict[str, dict[str, str]] = {}
        for universe_id in universe_ids:
            stream = by_stream.setdefault(subjects.log_stream_of(universe_id), {})
            stream[subjects.log(universe_id)] = universe_id
        found: dict[str, RecentRecord] = {}
        for name, by_subject in by_stream.items():
            newest = await self._streams.newest(name, list(by_subject))
            found.update((by_subject[each.subject], self._record(each)) for each in newest)
        return found

    async def confirm(self, universe_id: str, position: int) -> int:
        """``position``, if the stream's leader says that the log ends there.

        Raise :class:`Conflict` if the log goes on: a decision made there may be out of date.
        """
        end = await self.end(universe_id)
        if (end.position if end is not None else 0) != position:
            raise Conflict
        return position

    async def end(self, universe_id: str) -> RecentRecord | None:
        """The last record of a log, from the stream's leader; ``None`` if the log is empty."""
        stream = subjects.log_stream_of(universe_id)
        stored = await self._streams.last(stream, subjects.log(universe_id))
        return self._record(stored) if stored is not None else None

    def _record(self, stored: Stored, previous: int = 0) -> RecentRecord:
        """A stored message as a record; ``previous`` is the position before it."""
        if stored.is_placed:
            return RecentRecord(stored.sequence, stored.previous or 0, stored.payload)
        self._skipped.foreign("record", stored)
        return RecentRecord(stored.sequence, previous, NOTHING)

    def draft(
        self,
        universe_id: str,
        at: str,
        events: Sequence[LogEvent],
        position: int,
        *,
        after: str = "",
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Draft:
        """The record that is to follow ``position``; raise :class:`RecordTooLarge`.

        ``after`` is the id of the record at ``position``, if known; ``headers`` are stored with it.
        """
        record_id = self._next_record_id()
        payload = encode_record(record_id, at, events, after=after)
        if len(payload) > MAX_RECORD_BYTES:
            raise RecordTooLarge
        resolved_by_s = time.monotonic() + RESOLVING_S
        return Draft(universe_id, record_id, position, payload, headers, resolved_by_s)

    def begin_append(self, draft: Draft, on_outcome: Callable[[int | Exception], None]) -> None:
        """Try once to store a record; report its position, or an error for :meth:`complete`."""
        self._streams.begin_append(
            subjects.log(draft.universe_id),
            draft.payload,
            expected_last_subject_sequence=draft.position,
            timeout_s=self._settings.append_timeout_s,
            headers=draft.headers,
            on_outcome=on_outcome,
        )

    async def append(
        self,
        universe_id: str,
        at: str,
        events: Sequence[LogEvent],
        position: int,
        *,
        after: str = "",
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> tuple[RecentRecord, bool]:
        """Store one record right after ``position``: :meth:`draft`, then :meth:`complete`."""
        draft = self.draft(universe_id, at, events, position, after=after, headers=headers)
        return await self.complete(draft)

    async def complete(
        self, draft: Draft, begun: Exception | None = None
    ) -> tuple[RecentRecord, bool]:
        """Store a record; return it, and whether its outcome was unknown for a time.

        ``begun`` is the error of an earlier attempt, if there was one.
        Raise :class:`Conflict` if another record follows ``position``, :class:`AppendUnknown` if
        the outcome could not be learnt in time, and :class:`BusUnavailable` or
        :class:`StreamFull` if nothing was stored. An append without an answer may still be stored
        later. Only repeating the same append tells: it succeeds, or finds its position taken.
        """
        unknown: AppendUnknown | None = None
        while True:
            try:
                _go_on_from(begun)
                sequence = await self._streams.append(
                    subjects.log(draft.universe_id),
                    draft.payload,
                    expected_last_subject_sequence=draft.position,
                    timeout_s=self._settings.append_timeout_s,
                    headers=draft.headers,
                )
            except WrongSequence as wrong:
                if unknown is None:
                    if not draft.may_begin or await self.end(draft.universe_id) is not None:
                        raise Conflict from wrong
                    # The broker cannot read the log's last message, and so takes the log for empty.
                    draft, begun = replace(draft, position=0), None
                    continue
                with suppress(BusUnavailable):
                    own = await self._own_position(draft)
                    return draft.stored(own), True
            except AppendUnknown as outcome:
                unknown = outcome
            except (BusUnavailable, StreamFull):
                # This attempt stored nothing. An earlier one still may have.
                if unknown is None:
                    raise
            else:
                return draft.stored(sequence), unknown is not None
            begun = None
            if time.monotonic() > draft.resolved_by_s:
                raise unknown
            await asyncio.sleep(RESOLVING_PAUSE_S)

    async def _own_position(self, draft: Draft) -> int:
        for record in await self.records(draft.universe_id, after_position=draft.position):
            if decode_record(record.payload)[0] == draft.record_id:
                return record.position
        raise Conflict

    async def save_snapshot(self, universe_id: str, loaded: Loaded) -> Coverage:
        """Store a snapshot, and trim the log below the oldest snapshot that history is kept from.

        A snapshot of another owner is never replaced by one that does not include it. In that case,
        return what is stored instead.
        """
        if loaded.universe is None or loaded.position in loaded.coverage.marks[-1:]:
            return loaded.coverage
        # A mark above the log's end belongs to records that the log has lost.
        marks = (*(m for m in loaded.coverage.marks if m < loaded.position), loaded.position)
        kept = marks[-self._settings.history_snapshots :]
        snapshot = Snapshot(loaded.position, loaded.universe, kept, loaded.record_id)
        payload = encode_snapshot(snapshot, packed=self._settings.packs_snapshots)
        sequence = loaded.coverage.sequence
        while True:
            try:
                sequence = await self._streams.append(
                    subjects.snapshot(universe_id),
                    payload,
                    expected_last_subject_sequence=sequence,
                    timeout_s=self._settings.append_timeout_s,
                )
            except WrongSequence:
                stored = await self.snapshot(universe_id)
                if stored.position >= loaded.position:
                    return stored.coverage
                if stored.coverage.sequence == sequence:
                    raise BusUnavailable("the snapshot's place is contended for") from None
                # It is an older one, or none: the stream has lost this universe's latest snapshot.
                sequence = stored.coverage.sequence
            else:
                break
        if len(marks) > len(kept):
            # The record at the mark stays: it may be the log's end, which the next append names.
            await self._trim(universe_id, kept[0] - 1)
        return Coverage(sequence, kept)

    async def make_room(self, universe_id: str, loaded: Loaded) -> Coverage:
        """Discard the history that a snapshot covers, since the log is full.

        A new snapshot is stored for that, if possible.
        """
        coverage = loaded.coverage
        with suppress(BusUnavailable, StreamFull, MessageTooLarge):
            coverage = await self.save_snapshot(universe_id, loaded)
        newest = coverage.marks[-1:]
        if newest:
            await self._trim(universe_id, newest[0] - 1)
        return replace(coverage, marks=newest)

    async def erase(self, universe_id: str, loaded: Loaded) -> None:
        """Remove everything of a deleted universe except its tombstone; may be repeated."""
        await self.save_snapshot(universe_id, loaded)
        # The tombstone stays: a late writer would have to name its position.
        await self._trim(universe_id, loaded.position - 1)
        for subject in subjects.pieces(universe_id):
            await self._streams.purge(subjects.NOTES_STREAM, subject)

    async def _trim(self, universe_id: str, up_to: int) -> None:
        stream = subjects.log_stream_of(universe_id)
        await self._streams.purge(stream, subjects.log(universe_id), up_to=up_to)


def _go_on_from(begun: Exception | None) -> None:
    """Raise the error of an earlier attempt as if it came now; return if it is to be made again."""
    if begun is not None and not isinstance(begun, AppendContended):
        raise begun
