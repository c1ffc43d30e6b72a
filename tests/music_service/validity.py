"""Requests from all over the parameter space, and what has to hold for any piece."""

import random
from typing import get_args

from pydantic import TypeAdapter, ValidationError

from harmonic_music.composing import CompositionRequest, compose
from harmonic_music.score import Score
from harmonic_music.theory.keys import pitch_class
from harmonic_music.theory.scales import SCALES
from harmonic_protocol.messages.music import MAX_DURATION_S, MAX_SEED
from harmonic_protocol.values import Key, MusicParameters, Note, PhysicsParameters, Scale

KEYS: tuple[Key, ...] = get_args(Key)
SCALE_NAMES: tuple[Scale, ...] = get_args(Scale)
MIN_DURATION_S = 0.1
#: From this harmony on, every piece ends on the tonic, in the melody and in the bass.
TONIC_FROM_HARMONY = 0.5
AWAY = "ends away from the tonic"
_NOTES = TypeAdapter(tuple[Note, ...])


def random_request(chance: random.Random) -> CompositionRequest:
    """Any request; every other value is an end of its range, and durations of all sizes occur."""

    def value(lowest: float, highest: float) -> float:
        return chance.choice((lowest, highest, *[chance.uniform(lowest, highest)] * 2))

    return CompositionRequest(
        MusicParameters(
            harmony=value(0, 1),
            tempo=value(40, 200),
            key=chance.choice(KEYS),
            scale=chance.choice(SCALE_NAMES),
            rhythm_complexity=value(0, 1),
            melody_range=value(0, 1),
        ),
        PhysicsParameters(
            gravity=value(0, 20),
            friction=value(0, 1),
            elasticity=value(0, 1),
            air_resistance=value(0, 1),
            time_scale=value(0.1, 5),
        ),
        chance.choice((MIN_DURATION_S, MAX_DURATION_S, *_sizes(chance))),
        chance.randint(0, MAX_SEED),
    )


def _sizes(chance: random.Random) -> list[float]:
    """Twenty durations: as many short ones as long ones."""
    return [
        round(MIN_DURATION_S * (MAX_DURATION_S / MIN_DURATION_S) ** chance.random(), 3)
        for _ in range(20)
    ]


def faults(request: CompositionRequest) -> list[str]:
    """What is wrong with the piece that this request makes."""
    score = compose(request)
    notes = score.notes()
    found = []
    if not notes:
        return ["no notes"]
    starts = [note.start_time for note in notes]
    if starts != sorted(starts):
        found.append("not sorted")
    if not _in_range(notes):
        found.append("out of range")
    ends = [note.start_time + note.duration for note in notes]
    if max(ends) > request.duration:
        found.append("beyond the duration")
    if ends[-1] < request.duration - 1e-9:
        found.append("the last note ends too early")
    if _doubled(score):
        found.append("a note doubled")
    tonic = pitch_class(request.music.key)
    shape = SCALES[request.music.scale]
    # The blues has three dominant sevenths under its scale.
    steps = {*shape.steps, *((0, 4, 7, 10, 5, 9, 3, 11, 2) if shape.is_blues else ())}
    scale = {(tonic + step) % 12 for step in steps}
    if request.music.harmony == 1 and not {note.pitch % 12 for note in notes} <= scale:
        found.append("out of scale")
    last = [event for event in score.events if event.onset == score.events[-1].onset]
    outer = {last[0].pitch % 12, last[-1].pitch % 12}
    if request.music.harmony >= TONIC_FROM_HARMONY and outer != {tonic}:
        found.append(AWAY)
    return found


def _in_range(notes: tuple[Note, ...]) -> bool:
    # Validated as they are read: composing makes them without.
    written = _NOTES.dump_json(notes, by_alias=True, exclude_none=True)
    try:
        return _NOTES.validate_json(written) == notes
    except ValidationError:
        return False


def _doubled(score: Score) -> bool:
    """Whether a pitch begins while it sounds."""
    sounding: dict[int, int] = {}
    for event in score.events:
        if sounding.get(event.pitch, 0) > event.onset:
            return True
        sounding[event.pitch] = event.end
    return False
