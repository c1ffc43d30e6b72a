"""Sliders as people move them: dragged for some bars, then left alone, for ever."""

import random
from collections.abc import Iterator

from harmonic_protocol.values import MusicParameters, PhysicsParameters
from music_service.endless_golden import Record, records
from music_service.validity import KEYS

SCALES = ("major", "minor", "dorian", "mixolydian", "harmonic_minor", "lydian")
#: The sliders of music and of physics, with their ends.
_MUSIC = {
    "harmony": (0.0, 1.0),
    "tempo": (60.0, 170.0),
    "rhythm_complexity": (0.0, 1.0),
    "melody_range": (0.0, 1.0),
}
_PHYSICS = {
    "gravity": (0.0, 20.0),
    "friction": (0.0, 1.0),
    "elasticity": (0.0, 1.0),
    "air_resistance": (0.0, 1.0),
    "time_scale": (0.3, 3.0),
}
#: Bars between two moves, in the mean: while people play, and while they listen.
_PLAYING, _LISTENING, _TURNS = 6, 70, 0.12
_LONGEST_DRAG, _CHOSEN = 5, 0.14


def moves(every: int, seed: int) -> Iterator[Record]:
    """The parameters bar by bar: one of them jumps every ``every`` bars."""
    return records(seed, every=every, scales=SCALES)


def people(seed: int) -> Iterator[Record]:
    """The parameters bar by bar as people move them."""
    rng = random.Random(seed)
    values: dict[str, object] = {}
    pause = _PLAYING
    while True:
        for _ in range(1 + int(rng.expovariate(1 / pause))):
            yield _record(values)
        if rng.random() < _TURNS:
            pause = _PLAYING + _LISTENING - pause
        if rng.random() < _CHOSEN:
            name, options = rng.choice((("key", KEYS), ("scale", SCALES)))
            values[name] = rng.choice(options)
            continue
        slider, (low, high) = rng.choice(sorted((_MUSIC | _PHYSICS).items()))
        before = getattr(_record(values)[slider not in _MUSIC], slider)
        goal, steps = rng.uniform(low, high), rng.randint(1, _LONGEST_DRAG)
        for step in range(1, steps + 1):
            values[slider] = before + (goal - before) * step / steps
            yield _record(values)


def _record(values: dict[str, object]) -> Record:
    return (
        MusicParameters().model_copy(
            update={n: v for n, v in values.items() if n in MusicParameters.model_fields}
        ),
        PhysicsParameters().model_copy(
            update={n: v for n, v in values.items() if n in PhysicsParameters.model_fields}
        ),
    )
