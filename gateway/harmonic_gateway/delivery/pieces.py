"""The notes and MIDI files of generated pieces, read from their stream."""

import asyncio

from harmonic_protocol import subjects
from harmonic_protocol.log import MusicStored
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import Streams

#: How often, and how long apart, notes are asked for that a record refers to.
ATTEMPTS = 10
PAUSE_S = 0.3


class Pieces:
    """Reads pieces; they are kept for an hour."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def notes(self, piece: MusicStored) -> bytes | None:
        """The JSON array of a piece's notes; ``None`` if they are no longer kept."""
        for _ in range(ATTEMPTS):
            try:
                return await self._read(subjects.notes(piece.universe_id, piece.request_id))
            except BusUnavailable:
                await asyncio.sleep(PAUSE_S)
        return None

    async def midi(self, universe_id: str, request_id: str) -> bytes | None:
        """A piece's Standard MIDI File; ``None`` if it is not, or no longer, kept.

        Raise :class:`BusUnavailable` where that cannot be told.
        """
        return await self._read(subjects.midi(universe_id, request_id))

    async def _read(self, subject: str) -> bytes | None:
        stored = await self._streams.last(subjects.NOTES_STREAM, subject)
        return stored.payload if stored is not None else None
