"""Pieces to measure, and what can be measured of them."""

from collections.abc import Callable, Iterable
from itertools import combinations
from statistics import fmean

from harmonic_music.composing import CompositionRequest, compose
from harmonic_music.score import TICKS_PER_BEAT, Score, ScoreNote, Voice
from harmonic_music.theory.intervals import interval_class
from harmonic_protocol.values import MusicParameters, PhysicsParameters

CONSONANT_CLASSES = frozenset({0, 3, 4, 5})

Measure = Callable[[Score], float]


def piece(duration: float = 30, seed: int = 1, /, **parameters: object) -> Score:
    """A piece from these parameters, by their Python names; the others are default."""
    musical = {
        name: parameters[name] for name in MusicParameters.model_fields if name in parameters
    }
    physical = {name: value for name, value in parameters.items() if name not in musical}
    music = MusicParameters.model_validate(musical)
    physics = PhysicsParameters.model_validate(physical)
    return compose(CompositionRequest(music, physics, duration, seed))


def mean(measure: Measure, seeds: int = 20, /, **parameters: object) -> float:
    return fmean(measure(piece(30, seed, **parameters)) for seed in range(seeds))


def sounding(score: Score, tick: int) -> list[ScoreNote]:
    return [event for event in score.events if event.onset <= tick < event.end]


def consonant_share(score: Score) -> float:
    """Of all pairs of pitches that sound when a note begins, those that are consonant."""
    return _consonant_share(
        pair
        for tick in {event.onset for event in score.events}
        for pair in combinations(sounding(score, tick), 2)
    )


def strong_beat_share(score: Score) -> float:
    """The same for the melody with what is under it, on the bar's strong beats."""
    return _consonant_share(
        (event, other)
        for event in score.events
        if event.voice is Voice.MELODY and event.onset % (2 * TICKS_PER_BEAT) == 0
        for other in sounding(score, event.onset)
        if other.voice is not Voice.MELODY
    )


def _consonant_share(pairs: Iterable[tuple[ScoreNote, ScoreNote]]) -> float:
    return fmean(
        interval_class(one.pitch, other.pitch) in CONSONANT_CLASSES for one, other in pairs
    )


def onsets_a_beat(score: Score) -> float:
    onsets = {(event.voice, event.onset) for event in score.events}
    return len(onsets) * TICKS_PER_BEAT / score.events[-1].onset


def off_beat_share(score: Score) -> float:
    """Of the melody's notes, those that begin between two beats."""
    return fmean(
        event.onset % TICKS_PER_BEAT != 0 for event in score.events if event.voice is Voice.MELODY
    )


def melody_span(score: Score) -> float:
    pitches = [event.pitch for event in score.events if event.voice is Voice.MELODY]
    return max(pitches) - min(pitches)


def mean_length(score: Score) -> float:
    return fmean(event.length for event in score.events) / TICKS_PER_BEAT


def tempo(score: Score) -> float:
    return score.tempo
