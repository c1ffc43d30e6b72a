"""What can be counted in a tune, and how far two kinds of music overlap in it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean

from music_service.tunes import Sound, Tune

Counts = Mapping[int, float]

#: Onsets and lengths are read to a twelfth of a beat.
_UNITS = 12
_CONSONANT = frozenset({0, 3, 4, 5, 7, 8, 9})
_STEP, _LEAP = 2, 5


def _shares(counts: Mapping[int, float]) -> Counts:
    total = sum(counts.values()) or 1
    return {key: count / total for key, count in counts.items()}


def _intervals(tune: Tune) -> list[int]:
    return [b.pitch - a.pitch for a, b in zip(tune.melody, tune.melody[1:], strict=False)]


def pitch_classes(tune: Tune) -> Counts:
    return _shares(Counter((sound.pitch - tune.tonic) % 12 for sound in tune.melody))


def intervals(tune: Tune) -> Counts:
    return _shares(Counter(max(-12, min(12, move)) for move in _intervals(tune)))


def inter_onsets(tune: Tune) -> Counts:
    pairs = zip(tune.melody, tune.melody[1:], strict=False)
    return _shares(Counter(min(48, round(_UNITS * (b.onset - a.onset))) for a, b in pairs))


def metrical_places(tune: Tune) -> Counts:
    """Of a melody's time, what begins at each place of the bar: accents by length.

    Long notes sound accented (Fred Lerdahl and Ray Jackendoff, *A Generative Theory of Tonal
    Music*, 1983, metrical preference rule 5a).
    """
    found: dict[int, float] = defaultdict(float)
    for sound in tune.melody:
        found[round(_UNITS * (sound.onset % 4))] += sound.length
    return _shares(found)


def metrical_accent(tune: Tune) -> float:
    """How much longer notes on strong beats are than the others."""
    strong, weak = (
        [sound.length for sound in tune.melody if (sound.onset % 2 < 1 / _UNITS) is is_strong]
        for is_strong in (True, False)
    )
    return fmean(strong) / fmean(weak) if strong and weak else 1.0


def repeated_notes(tune: Tune) -> float:
    moves = _intervals(tune)
    return sum(move == 0 for move in moves) / max(1, len(moves))


def steps(tune: Tune) -> float:
    moves = _intervals(tune)
    return sum(1 <= abs(move) <= _STEP for move in moves) / max(1, len(moves))


def leaps(tune: Tune) -> float:
    moves = _intervals(tune)
    return sum(abs(move) >= _LEAP for move in moves) / max(1, len(moves))


def leaps_recovered(tune: Tune) -> float:
    moves = _intervals(tune)
    after = [one * other < 0 for one, other in pairwise(moves) if abs(one) >= _LEAP]
    return fmean(after) if after else 1.0


def onsets_a_beat(tune: Tune) -> float:
    return len(tune.melody) / (4 * tune.bars)


def on_the_beat(tune: Tune) -> float:
    return fmean(sound.onset % 1 < 1 / _UNITS for sound in tune.melody)


def span(tune: Tune) -> float:
    pitches = [sound.pitch for sound in tune.melody]
    return max(pitches) - min(pitches)


def returns(tune: Tune) -> tuple[float, float]:
    """Of the bars, those that are an earlier one literally, and those that vary one.

    A bar varies another that shares half of its notes, or its rhythm and the directions it takes.
    """
    literal = varied = 0
    seen: list[list[Sound]] = []
    bars = tune.by_bar()
    for bar in bars:
        if any(_same(bar, other) for other in seen):
            literal += 1
        elif any(_akin(bar, other) for other in seen):
            varied += 1
        seen.append(bar)
    return literal / len(bars), varied / len(bars)


def _notes(bar: Sequence[Sound]) -> list[tuple[int, int]]:
    return [(round(_UNITS * (sound.onset % 4)), sound.pitch) for sound in bar]


def _same(one: Sequence[Sound], other: Sequence[Sound]) -> bool:
    return _notes(one) == _notes(other)


def _akin(one: Sequence[Sound], other: Sequence[Sound]) -> bool:
    first, second = _notes(one), _notes(other)
    shared = len(set(first) & set(second))
    if 2 * shared >= max(len(first), len(second), 1):
        return True
    same_rhythm = [place for place, _ in first] == [place for place, _ in second]
    return same_rhythm and len(first) > 2 and _directions(one) == _directions(other)


def _directions(bar: Sequence[Sound]) -> list[int]:
    return [(b.pitch > a.pitch) - (b.pitch < a.pitch) for a, b in pairwise(bar)]


def literal_returns(tune: Tune) -> float:
    return returns(tune)[0]


def varied_returns(tune: Tune) -> float:
    return returns(tune)[1]


def closes(tune: Tune) -> float:
    """Of the blocks of four bars, those whose melody stops on the first or the fifth degree.

    It stops on the longest note that begins in the last bar: what follows it leads on.
    """
    ends = [
        max(sounds, key=lambda sound: (sound.length, sound.onset))
        for number, sounds in enumerate(tune.by_bar(), start=1)
        if number % 4 == 0 and sounds
    ]
    return fmean((sound.pitch - tune.tonic) % 12 in {0, 7} for sound in ends) if ends else 1.0


def beneath(tune: Tune, beat: float) -> list[Sound]:
    return [sound for sound in tune.under if sound.onset <= beat + 0.05 < sound.end]


def chord_of(tones: Sequence[int]) -> frozenset[int]:
    """The triad that some pitches, the bass first, are nearest to."""
    heard = {pitch % 12 for pitch in tones}

    def nearness(root: int, kind: tuple[int, int, int]) -> tuple[float, int]:
        chord = {(root + tone) % 12 for tone in kind}
        extra = 0.4 * (min(tones) % 12 == root) - 0.3 * len(heard - chord)
        return len(heard & chord) + extra, -root

    kinds = ((0, 4, 7), (0, 3, 7), (0, 3, 6))
    root, kind = max(((r, k) for r in range(12) for k in kinds), key=lambda it: nearness(*it))
    return frozenset((root + tone) % 12 for tone in kind)


def strong_chord_tones(tune: Tune) -> float:
    """Of the notes on strong beats, those that belong to the chord under them."""
    found = [
        sound.pitch % 12 in chord_of([other.pitch for other in chord])
        for sound in tune.melody
        if sound.onset % 2 < 1 / _UNITS and (chord := beneath(tune, sound.onset))
    ]
    return fmean(found) if found else 1.0


def consonance(tune: Tune) -> float:
    """Of the melody's intervals with what is under it on the beats, those that are consonant."""
    found = [
        (sound.pitch - other.pitch) % 12 in _CONSONANT
        for sound in tune.melody
        if sound.onset % 1 < 1 / _UNITS
        for other in beneath(tune, sound.onset)
    ]
    return fmean(found) if found else 1.0


HISTOGRAMS: Mapping[str, Callable[[Tune], Counts]] = {
    "pitch classes": pitch_classes,
    "intervals": intervals,
    "inter-onset intervals": inter_onsets,
    "metrical places": metrical_places,
}
#: Each with the width in which two pieces count as alike.
NUMBERS: Mapping[str, tuple[Callable[[Tune], float], float]] = {
    "repeated notes": (repeated_notes, 0.05),
    "steps": (steps, 0.07),
    "leaps": (leaps, 0.04),
    "leaps recovered": (leaps_recovered, 0.15),
    "onsets a beat": (onsets_a_beat, 0.15),
    "on the beat": (on_the_beat, 0.08),
    "metrical accent": (metrical_accent, 0.15),
    "span": (span, 2.0),
    "literal returns": (literal_returns, 0.09),
    "varied returns": (varied_returns, 0.09),
    "closing blocks": (closes, 0.26),
}
#: For music that has something under the melody.
VERTICAL: Mapping[str, tuple[Callable[[Tune], float], float]] = {
    "strong chord tones": (strong_chord_tones, 0.08),
    "consonance": (consonance, 0.05),
}


#: A tune's features by name, each as shares: a number is one box of its width.
Profile = Mapping[str, Counts]


def profile(tune: Tune, *, vertical: bool = False) -> Profile:
    """All features of a tune, or those of what is under its melody."""
    found = {} if vertical else {name: count(tune) for name, count in HISTOGRAMS.items()}
    for name, (number, width) in (VERTICAL if vertical else NUMBERS).items():
        found[name] = {round(number(tune) / width): 1.0}
    return found


def overlaps(one: Sequence[Profile], other: Sequence[Profile]) -> dict[str, float]:
    """How far two kinds of music overlap in each feature: 1 where they are distributed alike."""
    return {name: _shared(_mean(one, name), _mean(other, name)) for name in one[0]}


def _mean(profiles: Sequence[Profile], name: str) -> Counts:
    total: dict[int, float] = defaultdict(float)
    for found in profiles:
        for key, share in found[name].items():
            total[key] += share
    return {key: value / len(profiles) for key, value in total.items()}


def _shared(one: Counts, other: Counts) -> float:
    return sum(min(share, other.get(key, 0.0)) for key, share in one.items())
