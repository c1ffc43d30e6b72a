"""Music as a melody over what is under it, wherever it comes from: ours, a corpus, a baseline."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from harmonic_music.score import TICKS_PER_BEAT, Score, Voice
from harmonic_music.theory.keys import pitch_class

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
#: Triplets do not add up to whole bars, in parts of a bar.
_INEXACT = 0.02


@dataclass(frozen=True, slots=True)
class Sound:
    """A note by beats."""

    onset: float
    length: float
    pitch: int

    @property
    def end(self) -> float:
        return self.onset + self.length


@dataclass(frozen=True, slots=True)
class Tune:
    """In 4/4, its first bar at beat 0; ``minor`` by its third."""

    tonic: int
    minor: bool
    melody: tuple[Sound, ...]
    under: tuple[Sound, ...] = field(default=())

    @property
    def scale(self) -> tuple[int, ...]:
        return MINOR if self.minor else MAJOR

    @property
    def bars(self) -> int:
        """The last one included, that an upbeat leaves incomplete."""
        return max(1, ceil(max(sound.end for sound in self.melody) / 4 - _INEXACT))

    def beginning(self, bars: int) -> "Tune":
        """Its first bars alone."""
        return Tune(
            self.tonic, self.minor, _until(4 * bars, self.melody), _until(4 * bars, self.under)
        )

    def by_bar(self) -> list[list[Sound]]:
        """The melody bar by bar."""
        found: dict[int, list[Sound]] = defaultdict(list)
        for sound in self.melody:
            found[int(sound.onset // 4)].append(sound)
        return [found[number] for number in range(self.bars)]


def _until(end: float, sounds: Sequence[Sound]) -> tuple[Sound, ...]:
    return tuple(
        Sound(sound.onset, min(sound.length, end - sound.onset), sound.pitch)
        for sound in sounds
        if sound.onset < end
    )


def tune_of(score: Score) -> Tune:
    """One of ours."""
    sounds = [
        (
            event.voice,
            Sound(event.onset / TICKS_PER_BEAT, event.length / TICKS_PER_BEAT, event.pitch),
        )
        for event in score.events
    ]
    return Tune(
        pitch_class(score.key),
        "minor" in score.scale,
        tuple(sound for voice, sound in sounds if voice is Voice.MELODY),
        tuple(sound for voice, sound in sounds if voice is not Voice.MELODY),
    )


def random_walk(bars: int, chance: random.Random, *, minor: bool) -> Tune:
    """A lower baseline: steps through the scale at random, over triads at random."""
    scale = MINOR if minor else MAJOR
    place, beat, melody = 14, 0.0, []
    while beat < 4 * bars:
        length = min(chance.choice((0.5, 1.0, 1.5)), 4 * bars - beat)
        melody.append(Sound(beat, length, 48 + 12 * (place // 7) + scale[place % 7]))
        place = min(max(place + chance.choice((-3, -2, -1, 0, 1, 2, 3)), 7), 21)
        beat += length
    under = []
    for bar in range(bars):
        root = chance.randrange(7)
        under += [
            Sound(4 * bar, 4, 36 + 12 * ((root + up) // 7) + scale[(root + up) % 7])
            for up in (0, 2, 4)
        ]
    return Tune(0, minor, tuple(melody), tuple(under))


def arpeggio_loop(bars: int, chance: random.Random, *, minor: bool) -> Tune:
    """A lower baseline: broken triads over I, vi, IV and V for ever."""
    scale = MINOR if minor else MAJOR
    order = chance.choice(((0, 2, 4, 7), (0, 4, 2, 4), (7, 4, 2, 0)))
    step = chance.choice((0.5, 1.0))
    melody, under = [], []
    for bar in range(bars):
        root = (0, 5, 3, 4)[bar % 4]
        pitches = [60 + 12 * ((root + up) // 7) + scale[(root + up) % 7] for up in order]
        melody += [
            Sound(4 * bar + number * step, step, pitches[number % 4])
            for number in range(int(4 / step))
        ]
        under += [
            Sound(4 * bar, 4, 36 + 12 * ((root + up) // 7) + scale[(root + up) % 7])
            for up in (0, 2, 4)
        ]
    return Tune(0, minor, tuple(melody), tuple(under))
