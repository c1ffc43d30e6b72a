"""How far a client has come by its own account: the offset of the recovery protocol. Pure.

An offset names a position of each room's log, and the mark of the record there, since positions
come again where a log has lost its end: ``universe:position:mark``, and after a comma the next.
Within the record at that position, a fourth part says how many of its frames have come.

The mark is left out where it is not known. A gateway of the version before wrote no marks, and
takes one for more frames than the record has: the client has all of it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from harmonic_protocol.log import FIRST_MARK, record_mark

#: Longer ones are none that this gateway gave out: eight rooms take less.
MAX_OFFSET_CHARACTERS = 1024
_PLACE = re.compile(r"([A-Za-z0-9_-]{1,64}):(\d{1,18})(?::(\d{1,6}))?(?::(\d{1,6}))?", re.ASCII)


class Position(int):
    """A position of a log; it counts as a number, and carries the mark of the record there."""

    mark: int | None

    def __new__(cls, position: int, mark: int | None = None) -> Self:
        """The position with a mark, if it is known."""
        made = super().__new__(cls, position)
        made.mark = mark
        return made

    @classmethod
    def of_record(cls, position: int, record_id: str | None) -> Self:
        """The position of a record, whose id may not be known."""
        return cls(position, record_mark(record_id) if record_id else None)


def mark_of(position: int) -> int | None:
    """The mark of the record at a position, if it is known."""
    return position.mark if isinstance(position, Position) else None


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a log: after the record at ``position``, or after so many frames of it."""

    position: int
    frames: int | None = None
    mark: int | None = None

    @classmethod
    def read(cls, position: int, third: int | None, frames: int | None = None) -> Self:
        """A place from the numbers that tell of it: the third is a mark, or in its place frames."""
        if third is None or third >= FIRST_MARK:
            return cls(position, frames, third)
        return cls(position, third)


def place(universe_id: str, position: int, frames: int | None = None) -> str:
    """A place as an offset says it."""
    mark = mark_of(position)
    text = f"{universe_id}:{position}" if mark is None else f"{universe_id}:{position}:{mark}"
    return text if frames is None else f"{text}:{frames}"


def elsewhere(places: Iterable[str]) -> str:
    """What follows a room's own place: those in other rooms."""
    return "".join(f",{other}" for other in places)


def read_offset(text: object) -> dict[str, Place] | None:
    """The places by universe; ``None`` for anything that is no offset."""
    if not isinstance(text, str) or len(text) > MAX_OFFSET_CHARACTERS:
        return None
    places: dict[str, Place] = {}
    for part in text.split(","):
        found = _PLACE.fullmatch(part)
        if found is None or found[1] in places:
            return None
        third, fourth = (int(each) if each else None for each in (found[3], found[4]))
        if fourth is not None and (third is None or third < FIRST_MARK):
            return None
        places[found[1]] = Place.read(int(found[2]), third, fourth)
    return places
