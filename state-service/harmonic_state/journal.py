"""The only reader and writer of the universes' logs.

A universe's log is one subject, and an append names the position that it follows: two owners
at once cannot both succeed. Positions are the stream's sequences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from harmonic_protocol import subjects
from harmonic_runtime.bus import BusUnavailable
from harmonic_runtime.clock import Clock
from harmonic_runtime.streams import AppendUnknown, Stored, Streams, WrongSequence
from harmonic_state.domain.events import LogEvent, decode_record, encode_record
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.universe import Universe
from harmonic_state.settings import StateSettings

#: A log is read in parts of so many records.
READ_RECORDS = 500
#: What one record may take: below the broker's default bound of a message, headers included.
MAX_RECORD_BYTES = 900_000
#: How often an append of unknown outcome is tried again at the same position.
APPEND_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Loaded:
    """A universe as of a position of its log; ``None`` at position 0: there is none."""

    universe: Universe | None
    position: int


@dataclass(frozen=True, slots=True)
class _Snapshot:
    position: int
    universe: Universe


_SNAPSHOT = TypeAdapter(_Snapshot)


class Conflict(Exception):
    """The log holds records that the writer had not seen: read them, and decide again."""


class RecordTooLarge(Exception):
    """The events do not fit into one record."""


def stream_configs(settings: StateSettings) -> list[Mapping[str, object]]:
    """The streams that the product stands on."""
    common: dict[str, object] = {
        "storage": "file",
        "num_replicas": settings.stream_replicas,
        "allow_direct": True,
    }
    one_per_subject: dict[str, object] = {**common, "max_msgs_per_subject": 1}
    return [
        {
            **common,
            "name": subjects.LOG_STREAM,
            "subjects": [subjects.LOG_SUBJECTS],
            "republish": {"src": subjects.LOG_SUBJECTS, "dest": subjects.LIVE_SUBJECTS},
            "discard": "new",
        },
        {
            **one_per_subject,
            "name": subjects.SNAPSHOT_STREAM,
            "subjects": [subjects.SNAPSHOT_SUBJECTS],
        },
        {
            **one_per_subject,
            "name": subjects.INDEX_STREAM,
            "subjects": [subjects.INDEX_SUBJECTS],
        },
        {
            **one_per_subject,
            "name": subjects.NOTES_STREAM,
            "subjects": [*subjects.NOTES_SUBJECTS],
            "max_age": 3600 * 10**9,
            "max_bytes": settings.notes_stream_bytes,
        },
        {
            **common,
            "name": subjects.JOBS_STREAM,
            "subjects": [subjects.JOBS_SUBJECT],
            "retention": "workqueue",
            "max_age": 10 * 10**9,
            "max_msgs": 10_000,
            "discard": "new",
        },
    ]


class Journal:
    """Loading universes and appending to their logs."""

    def __init__(self, streams: Streams, settings: StateSettings, clock: Clock) -> None:
        self._streams = streams
        self._settings = settings
        self._clock = clock

    async def load(self, universe_id: str) -> Loaded:
        """The universe from its latest snapshot and what the log holds after it."""
        stored = await self._streams.last(subjects.SNAPSHOT_STREAM, subjects.snapshot(universe_id))
        start = Loaded(None, 0)
        if stored is not None:
            snapshot = _SNAPSHOT.validate_json(stored.payload)
            start = Loaded(snapshot.universe, snapshot.position)
        return await self.advance(universe_id, start)

    async def advance(self, universe_id: str, known: Loaded) -> Loaded:
        """``known``, brought up to the end of the log."""
        universe, position = known.universe, known.position
        for record in await self.records(universe_id, after_position=position):
            _, events = decode_record(record.payload)
            universe, position = fold(universe, events), record.sequence
        return Loaded(universe, position)

    async def records(self, universe_id: str, *, after_position: int) -> list[Stored]:
        """All records of a log above a position."""
        found: list[Stored] = []
        while True:
            part = await self._streams.read(
                subjects.LOG_STREAM,
                subjects.log(universe_id),
                from_sequence=after_position + 1,
                limit=READ_RECORDS,
            )
            found.extend(part)
            if len(part) < READ_RECORDS:
                return found
            after_position = part[-1].sequence

    async def confirm(self, universe_id: str, position: int) -> int:
        """``position``, if the log ends there as the stream's leader knows it.

        Raise :class:`Conflict` if it goes on: what was decided there may be out of date.
        """
        stored = await self._streams.last(subjects.LOG_STREAM, subjects.log(universe_id))
        if (stored.sequence if stored else 0) != position:
            raise Conflict
        return position

    async def append(
        self, universe_id: str, record_id: str, at: str, events: Sequence[LogEvent], position: int
    ) -> int:
        """Store one record right after ``position``; the position of the new end.

        Raise :class:`RecordTooLarge` before anything is sent,
        :class:`Conflict` if the log goes on after ``position`` with another record, and
        :class:`BusUnavailable` if the outcome could not be learnt in time. An append without an
        answer may still be stored later: only the same append again tells, as it either succeeds
        or finds its place taken.
        """
        payload = encode_record(record_id, at, events)
        if len(payload) > MAX_RECORD_BYTES:
            raise RecordTooLarge
        unknown: BusUnavailable | None = None
        for _ in range(APPEND_ATTEMPTS):
            try:
                return await self._streams.append(
                    subjects.log(universe_id),
                    payload,
                    expected_last_subject_sequence=position,
                    timeout_s=self._settings.append_timeout_s,
                )
            except WrongSequence as wrong:
                if unknown is None:
                    raise Conflict from wrong
                return await self._own_position(universe_id, record_id, position)
            except AppendUnknown as outcome:
                unknown = outcome
        raise unknown or BusUnavailable("append")

    async def _own_position(self, universe_id: str, record_id: str, position: int) -> int:
        for record in await self.records(universe_id, after_position=position):
            if decode_record(record.payload)[0] == record_id:
                return record.sequence
        raise Conflict

    async def save_snapshot(self, universe: Universe, position: int) -> None:
        """Keep the universe as of a position, so that loading need not read what precedes it."""
        await self._streams.append(
            subjects.snapshot(universe.id),
            _SNAPSHOT.dump_json(_Snapshot(position, universe)),
            timeout_s=self._settings.append_timeout_s,
        )
