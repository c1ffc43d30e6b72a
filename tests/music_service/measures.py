"""Pieces to measure, and the measures that each parameter is documented by."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import fmean, median

from harmonic_music.composing import CompositionRequest, compose
from harmonic_music.composing.shape import shape_of
from harmonic_music.score import TICKS_PER_BEAT, Score, ScoreNote, Voice
from harmonic_music.theory.intervals import interval_class
from harmonic_music.theory.keys import pitch_class
from harmonic_music.theory.meters import FOUR_FOUR, UNITS_PER_BEAT
from harmonic_music.theory.scales import SCALES
from harmonic_protocol.values import MusicParameters, PhysicsParameters

CONSONANT_CLASSES = frozenset({0, 3, 4, 5})
SIXTEENTH = TICKS_PER_BEAT // 4
UNIT = TICKS_PER_BEAT // UNITS_PER_BEAT

#: Spearman's rho of a parameter with what it moves, at least, and with the rest, at most.
OWN_RHO, FOREIGN_RHO = 0.9, 0.3

Measure = Callable[[Score], float]


def asked(**parameters: object) -> tuple[MusicParameters, PhysicsParameters]:
    """These parameters, by their Python names; the others are default."""
    musical = {
        name: parameters[name] for name in MusicParameters.model_fields if name in parameters
    }
    physical = {name: value for name, value in parameters.items() if name not in musical}
    return MusicParameters.model_validate(musical), PhysicsParameters.model_validate(physical)


def piece(duration: float = 30, seed: int = 1, /, **parameters: object) -> Score:
    style = parameters.pop("style", None)
    assert style is None or isinstance(style, str)
    music, physics = asked(**parameters)
    return compose(CompositionRequest(music, physics, duration, seed, style))


def in_four(duration: float, seed: int, /, **parameters: object) -> Score:
    """A piece in 4/4, for music that is compared with such: of this seed, or of one after it."""
    music, physics = asked(**parameters)
    scores = (
        compose(CompositionRequest(music, physics, duration, seed + more))
        for more in range(0, 10**9, 10**6)
    )
    return next(score for score in scores if score.meter is FOUR_FOUR)


def sixteen_bars(seed: int, /, **parameters: object) -> Score:
    """A piece of so many bars, however fast they go by."""
    music, physics = asked(**parameters)
    duration = 64 * 60 / shape_of(music, physics).tempo
    return compose(CompositionRequest(music, physics, duration, seed))


def melody(score: Score) -> list[ScoreNote]:
    return [event for event in score.events if event.voice is Voice.MELODY]


def consonance(score: Score) -> float:
    """Of the pairs of tones that sound in a beat under the melody, those that are consonant.

    A pair counts by the time that the shorter of the two has in the beat. A tone has the time until
    its voice goes on, however long it is held.
    """
    beat = score.meter.pulse * UNIT
    sounding: dict[int, Counter[int]] = defaultdict(Counter)
    for event, end in _going_on(score):
        if event.voice is not Voice.MELODY:
            for number in range(event.onset // beat, (end - 1) // beat + 1):
                inside = min(end, (number + 1) * beat) - max(event.onset, number * beat)
                sounding[number][event.pitch % 12] += inside
    pairs = [
        (min(ticks[one], ticks[other]), interval_class(one, other) in CONSONANT_CLASSES)
        for ticks in sounding.values()
        for one, other in combinations(sorted(ticks), 2)
    ]
    return sum(time for time, good in pairs if good) / sum(time for time, _ in pairs)


def _going_on(score: Score) -> Iterator[tuple[ScoreNote, int]]:
    """Each note with the tick at which its voice begins the next, or at which it ends."""
    following: dict[Voice, int] = {}
    onset: dict[Voice, int] = {}
    for event in reversed(score.events):
        if onset.get(event.voice) != event.onset:
            following[event.voice] = onset.get(event.voice, event.end)
            onset[event.voice] = event.onset
        yield event, following[event.voice]


def foreign_tones(score: Score) -> float:
    """Of all notes, those outside the scale that was asked for."""
    scale = {(pitch_class(score.key) + step) % 12 for step in SCALES[score.scale].steps}
    return fmean(event.pitch % 12 not in scale for event in score.events)


def tempo(score: Score) -> float:
    return score.tempo


def onsets_a_beat(score: Score) -> float:
    """Of the melody, up to its last note."""
    notes = melody(score)
    return (len(notes) - 1) * TICKS_PER_BEAT / notes[-1].onset


def syncopation(score: Score) -> float:
    """Of the melody, a bar: how much heavier the beats are over which its notes are held.

    H. C. Longuet-Higgins and C. S. Lee, "The rhythmic interpretation of monophonic music" (Music
    Perception, 1984): where a note goes on through a heavier place than the one it begins at, the
    difference of their weights, from the bar's, 4, to those between the eighths, 0.
    """
    notes = melody(score)
    onsets = [note.onset for note in notes]
    found = 0
    for onset, following in pairwise([*onsets, notes[-1].end]):
        first = onset + SIXTEENTH - onset % SIXTEENTH
        passed = (_weight(score, place) for place in range(first, following, SIXTEENTH))
        found += max(0, max(passed, default=0) - _weight(score, onset))
    return found * score.bar / notes[-1].end


def _weight(score: Score, tick: int) -> int:
    """Off the grid of triplets and sixteenths, nothing has weight."""
    return 0 if tick % UNIT else score.meter.weight(tick // UNIT)


def melody_span(score: Score) -> float:
    """The semitones from the melody's lowest note to its highest."""
    pitches = [note.pitch for note in melody(score)]
    return max(pitches) - min(pitches)


def ringing(score: Score) -> float:
    """How long the melody's notes sound, as a share of the time to the next: the median."""
    return median(one.length / (other.onset - one.onset) for one, other in pairwise(melody(score)))


MEASURES: dict[str, Measure] = {
    "consonance": consonance,
    "foreign": foreign_tones,
    "tempo": tempo,
    "onsets": onsets_a_beat,
    "syncopation": syncopation,
    "span": melody_span,
    "ringing": ringing,
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A numeric parameter's range, and what it moves: up where 1 stands, down where -1 does.

    What it ``may`` move as well is what the parameter moves that it bends.
    """

    lowest: float
    highest: float
    moves: Mapping[str, int]
    may: frozenset[str] = frozenset()

    def allows(self, measure: str, rho: float, slack: float = 0.0) -> bool:
        """Whether a measure goes with it as it should: its own clearly, the others hardly."""
        if measure in self.moves:
            return self.moves[measure] * rho >= OWN_RHO - slack
        return measure in self.may or abs(rho) <= FOREIGN_RHO


PARAMETERS: dict[str, Parameter] = {
    "harmony": Parameter(0, 1, {"consonance": 1, "foreign": -1}),
    "tempo": Parameter(40, 200, {"tempo": 1}),
    "rhythm_complexity": Parameter(0, 1, {"onsets": 1, "syncopation": 1}),
    "melody_range": Parameter(0, 1, {"span": 1}),
    "gravity": Parameter(0, 20, {"tempo": -1}),
    "friction": Parameter(0, 1, {"consonance": -1}, frozenset({"foreign"})),
    "elasticity": Parameter(0, 1, {"onsets": 1}, frozenset({"syncopation"})),
    "air_resistance": Parameter(0, 1, {"span": -1}),
    "time_scale": Parameter(0.1, 5, {"ringing": 1}),
}


def correlations(name: str, *, steps: int = 9, seeds: int = 30) -> dict[str, float]:
    """Spearman's rho of a parameter with every measure, over all pieces of all steps."""
    lowest, highest = PARAMETERS[name].lowest, PARAMETERS[name].highest
    values: list[float] = []
    measured: dict[str, list[float]] = {measure: [] for measure in MEASURES}
    for step in range(steps):
        value = lowest + (highest - lowest) * step / (steps - 1)
        for seed in range(seeds):
            score = sixteen_bars(seed, **{name: value})
            values.append(value)
            for measure, found in measured.items():
                found.append(MEASURES[measure](score))
    return {measure: spearman(values, found) for measure, found in measured.items()}


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """The correlation of two rows' ranks; none where one of them is all alike."""
    first, second = _ranks(one), _ranks(other)
    middle = (len(one) - 1) / 2
    together = sum((a - middle) * (b - middle) for a, b in zip(first, second, strict=True))
    spreads = [sum((rank - middle) ** 2 for rank in ranks) for ranks in (first, second)]
    return float(together / (spreads[0] * spreads[1]) ** 0.5) if all(spreads) else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    """Each value's place in order, the mean of them where values are alike."""
    places: dict[float, list[int]] = defaultdict(list)
    for place, value in enumerate(sorted(values)):
        places[value].append(place)
    return [fmean(places[value]) for value in values]
