"""A part while it is being written: tones in ticks, still without loudness."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tone:
    """One note of a part; it fills ``length`` ticks before anything shortens it."""

    onset: int
    length: int
    pitch: int
