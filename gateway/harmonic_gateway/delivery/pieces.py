"""The notes and MIDI files of generated pieces, read from their stream."""

import asyncio

from pydantic import ValidationError

from harmonic_gateway import metrics as table
from harmonic_protocol import subjects
from harmonic_protocol.log import MusicStored
from harmonic_protocol.pieces import StoredPiece
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog

#: How often, and how long apart, notes are asked for that a record refers to.
ATTEMPTS = 10
PAUSE_S = 0.3


class Pieces:
    """Reads pieces; they are kept for an hour."""

    def __init__(self, streams: Streams, metrics: Metrics, log: SampledLog) -> None:
        self._streams = streams
        self._missing = metrics.counters(table.NOTES_MISSING)
        self._log = log

    async def notes(self, piece: MusicStored) -> bytes | None:
        """A piece's notes and what goes with them, as members of a JSON object.

        ``None`` if they are no longer kept, are not what a music service writes, or cannot be read
        now: their event is left out.
        """
        reason = "unavailable"
        for _ in range(ATTEMPTS):
            try:
                stored = await self._read(subjects.notes(piece.universe_id, piece.request_id))
            except BusUnavailable:
                await asyncio.sleep(PAUSE_S)
            else:
                notes = None if stored is None else read_piece(stored)
                if notes is not None:
                    return notes
                reason = "absent" if stored is None else "unreadable"
                break
        self._missing.of(reason).inc()
        self._log.warning("notes_missing", kind=reason, reason=reason, request=piece.request_id)
        return None

    async def midi(self, universe_id: str, request_id: str) -> bytes | None:
        """A piece's Standard MIDI File; ``None`` if it is not, or no longer, kept.

        Raise :class:`BusUnavailable` where that cannot be told.
        """
        return await self._read(subjects.midi(universe_id, request_id))

    async def bars(self, universe_id: str) -> list[bytes]:
        """The latest bars of a universe's endless piece, as they are stored."""
        found = await self._streams.latest(
            subjects.BARS_STREAM, subjects.bars(universe_id), limit=subjects.BAR_SLOTS
        )
        return [stored.payload for stored in found if not stored.is_answer]

    async def _read(self, subject: str) -> bytes | None:
        stored = await self._streams.last(subjects.NOTES_STREAM, subject)
        # An answer of the broker is no music service's word.
        return stored.payload if stored is not None and not stored.is_answer else None


def read_piece(stored: bytes) -> bytes | None:
    """What is stored of a piece, written anew: ``"notes":[…]`` and the members that follow.

    It comes from another service and goes to every member, so only declared fields pass.
    ``None`` if it cannot be read.
    """
    try:
        # The text begins with the value of ``notes``: releases before this one put it there as it
        # was.
        piece = StoredPiece.model_validate_json(b'{"notes":' + stored + b"}")
    except ValidationError:
        return None
    return piece.to_json()[1:-1]
