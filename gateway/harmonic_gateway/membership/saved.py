"""A session as it was found in the store."""

from dataclasses import dataclass

from harmonic_protocol.internal import SavedSession


@dataclass(frozen=True, slots=True)
class Found:
    """A saved session, and where it stands in its stream."""

    saved: SavedSession
    subject: str
    sequence: int
