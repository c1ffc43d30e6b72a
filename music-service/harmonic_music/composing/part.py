"""A part while it is being written: tones in ticks, without velocities."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tone:
    """One note of a part; it takes ``length`` ticks before any shortening."""

    onset: int
    length: int
    pitch: int
