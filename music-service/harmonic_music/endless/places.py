"""The numbers of random choices that do not belong to one bar."""

from enum import IntEnum


class Purpose(IntEnum):
    """What a random choice outside of bars is for: each purpose has numbers of its own."""

    CHAPTER = 1
    PLAN = 2
    STAGE = 3
    SECTION = 4
    KEY = 5
    ARRANGING = 6
    ARC = 7
    DRIFT = 8
    PLAYERS = 9


def number_of(place: Purpose, chapter: int, slot: int = 0) -> int:
    """The number for a random choice: larger than every number of a bar."""
    return place << 64 | chapter << 8 | slot
