"""How far a client has come, as it says it itself: the offset of the recovery protocol. Pure.

An offset names a position of each room's log: ``universe:position``, and after a comma the next.
With a third part, it is within the record at that position: so many of its frames have come. It
comes from outside, so it is read as strictly as anything else from there.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

#: Longer ones are none that this gateway gave out: eight rooms take less.
MAX_OFFSET_CHARACTERS = 1024
_PLACE = re.compile(r"([A-Za-z0-9_-]{1,64}):(\d{1,18})(?::(\d{1,6}))?")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a log: after the record at ``position``, or after so many frames of it."""

    position: int
    frames: int | None = None


def place(universe_id: str, position: int, frames: int | None = None) -> str:
    """A place as an offset says it."""
    return f"{universe_id}:{position}" if frames is None else f"{universe_id}:{position}:{frames}"


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
        places[found[1]] = Place(int(found[2]), int(found[3]) if found[3] else None)
    return places
