"""What music for several voices shows on a grid of time: registers, movement, texture.

Every measure takes a ``Work`` and gives a number, or None where the piece cannot show it. Time is
cut into slots of a twelfth of a beat.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import log2
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from music_service.features import returns
from music_service.tunes import Sound, Tune
from music_service.works import Work

SLOTS = 12
_G3 = 55
_PHRASE_BARS = 4
_OCTAVE = 12
_STEP, _THIRD = 2, 4
#: Below this, no two pitches or onsets are told apart.
_ALIKE = 1 / 24

Row = Callable[[Work], float | None]
Slots = NDArray[np.int16]


def slot(beat: float) -> int:
    """The slot that begins nearest to a time in beats."""
    return round(beat * SLOTS)


def _size(work: Work) -> int:
    return slot(work.end)


def _line(sounds: Sequence[Sound], size: int) -> Slots:
    """The pitch of a line in every slot, 0 where it is silent."""
    slots = np.zeros(size, dtype=np.int16)
    for sound in sounds:
        slots[slot(sound.onset) : max(slot(sound.onset) + 1, slot(sound.end))] = sound.pitch
    return slots


def _extremes(work: Work, sounds: Sequence[Sound]) -> tuple[Slots, Slots]:
    """The lowest and the highest sounding pitch in every slot, 0 where nothing sounds."""
    low = np.full(_size(work), 999, dtype=np.int16)
    high = np.zeros(_size(work), dtype=np.int16)
    for s in sounds:
        place = slice(slot(s.onset), max(slot(s.onset) + 1, slot(s.end)))
        low[place] = np.minimum(low[place], s.pitch)
        high[place] = np.maximum(high[place], s.pitch)
    low[low == 999] = 0
    return low, high


def _under(work: Work) -> list[Sound]:
    return [sound for part in work.lower for sound in part]


def _gaps(work: Work) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Where melody and others sound: from the melody to the voice below it, and to the bass."""
    melody = _line(work.melody, _size(work))
    next_below = np.zeros(_size(work), dtype=np.int16)
    lowest = np.full(_size(work), 999, dtype=np.int16)
    for s in _under(work):
        place = slice(slot(s.onset), max(slot(s.onset) + 1, slot(s.end)))
        is_below = s.pitch <= melody[place]
        next_below[place] = np.where(
            is_below, np.maximum(next_below[place], s.pitch), next_below[place]
        )
        lowest[place] = np.minimum(lowest[place], s.pitch)
    both = (melody > 0) & (next_below > 0)
    return (melody - next_below)[both], (melody - lowest)[both]


def melody_far_above(work: Work) -> float | None:
    """Of the time, how much the melody is more than an octave above the next voice."""
    gaps, _ = _gaps(work)
    return float(np.mean(gaps > _OCTAVE)) if len(gaps) else None


def gap_to_next_voice(work: Work) -> float | None:
    """Semitones, the mean over time."""
    gaps, _ = _gaps(work)
    return float(np.mean(gaps)) if len(gaps) else None


def gap_to_bass(work: Work) -> float | None:
    _, gaps = _gaps(work)
    return float(np.mean(gaps)) if len(gaps) else None


def low_close_intervals(work: Work) -> float:
    """Of the time, how much two tones below G3 are a third or less apart."""
    slots: list[set[int]] = [set() for _ in range(_size(work))]
    for s in work.sounds:
        if s.pitch < _G3:
            for number in range(slot(s.onset), min(len(slots), slot(s.end))):
                slots[number].add(s.pitch)
    close = [any(b - a <= _THIRD for a, b in pairwise(sorted(slot))) for slot in slots]
    return fmean(close)


def bass_line(work: Work) -> list[Sound]:
    """The lowest note at each onset of the lowest part."""
    found: dict[float, Sound] = {}
    for s in work.parts[-1]:
        if s.onset not in found or s.pitch < found[s.onset].pitch:
            found[s.onset] = s
    return [found[onset] for onset in sorted(found)]


def bass_pitch(work: Work) -> float:
    """The median, weighted by time."""
    bass = _line(bass_line(work), _size(work))
    return float(np.median(bass[bass > 0]))


def bass_onsets(work: Work) -> float:
    """A beat."""
    return len(bass_line(work)) / work.end


def bass_steps(work: Work) -> float:
    """The longest run of steps in four bars, the mean of all four bars."""
    bass, window = bass_line(work), _PHRASE_BARS * work.beats_a_bar
    runs = [0] * max(1, int(work.end // window))
    run = 0
    for a, b in pairwise(bass):
        run = run + 1 if 1 <= abs(b.pitch - a.pitch) <= _STEP else 0
        number = min(len(runs) - 1, int(b.onset // window))
        runs[number] = max(runs[number], run)
    return fmean(runs)


def _bars(work: Work, sounds: Sequence[Sound]) -> list[list[Sound]]:
    found: list[list[Sound]] = [[] for _ in range(max(1, int(-(-work.end // work.beats_a_bar))))]
    for sound in sounds:
        number = int(sound.onset // work.beats_a_bar)
        if 0 <= number < len(found):
            found[number].append(sound)
    return found


def accompaniment_patterns(work: Work) -> float:
    """The entropy of the bars' accompaniments: where anything under the melody begins, in bits."""
    kinds = Counter(
        tuple(sorted({slot(s.onset % work.beats_a_bar) for s in bar}))
        for bar in _bars(work, _under(work))
    )
    total = kinds.total()
    return -sum(count / total * log2(count / total) for count in kinds.values())


def density_autocorrelation(work: Work) -> float | None:
    """Of the notes begun in each bar, with those four bars later."""
    bars = _bars(work, work.sounds)[: int(work.end // work.beats_a_bar)]
    if len(bars) <= 2 * _PHRASE_BARS:
        return None
    row = np.array([len(bar) for bar in bars], dtype=np.float64)
    row -= row.mean()
    spread = float(np.dot(row, row))
    return float(np.dot(row[:-_PHRASE_BARS], row[_PHRASE_BARS:])) / spread if spread else None


def moving_under_held_melody(work: Work) -> float | None:
    """Of the quarters of a beat through which the melody holds, those where another voice moves."""
    melody = _line(work.melody, _size(work))
    begun = {_quarter(s) for s in work.melody}
    others = {_quarter(s) for s in _under(work)}
    held = [
        number
        for number in range(int(4 * work.end))
        if number not in begun and melody[number * SLOTS // 4]
    ]
    return fmean(number in others for number in held) if held else None


def _quarter(sound: Sound) -> int:
    return int(4 * sound.onset + _ALIKE)


def alone_or_in_unison(work: Work) -> float:
    """Of the time with sound, how much has one pitch class only."""
    slots: list[set[int]] = [set() for _ in range(_size(work))]
    for s in work.sounds:
        for number in range(slot(s.onset), min(len(slots), slot(s.end))):
            slots[number].add(s.pitch % 12)
    sounding = [slot for slot in slots if slot]
    return fmean(len(slot) == 1 for slot in sounding)


def _moves(part: Sequence[Sound]) -> Iterator[int]:
    """Semitones from each note of a part to the next; of chords, tone by tone."""
    chords: dict[float, list[int]] = {}
    for s in part:
        chords.setdefault(s.onset, []).append(s.pitch)
    rows = [sorted(chords[onset]) for onset in sorted(chords)]
    for before, after in pairwise(rows):
        if len(before) == len(after):
            yield from (b - a for a, b in zip(before, after, strict=True))
        else:
            few, many = sorted((before, after), key=len)
            yield from (min(abs(p - q) for q in many) for p in few)


def lower_steps(work: Work) -> float | None:
    """Of the moves of the voices under the melody, those by a step; repeated notes are moves."""
    moves = [move for part in work.lower for move in _moves(part)]
    return fmean(1 <= abs(move) <= _STEP for move in moves) if moves else None


def outer_parallels(work: Work) -> float | None:
    """Where melody and bass move at once, how often in parallel fifths or octaves."""
    bass = {s.onset: s.pitch for s in bass_line(work)}
    both = [(s.pitch, bass[s.onset]) for s in work.melody if s.onset in bass]
    moved = [(a, b) for a, b in pairwise(both) if a[0] != b[0] and a[1] != b[1]]
    parallel = [
        (a[0] - a[1]) % 12 == (b[0] - b[1]) % 12 in {0, 7} and (b[0] > a[0]) == (b[1] > a[1])
        for a, b in moved
    ]
    return fmean(parallel) if parallel else None


def foreign_tones(work: Work) -> float:
    """Of all notes, those outside the key."""
    return fmean((s.pitch - work.tonic) % 12 not in work.tones for s in work.sounds)


def onsets_a_beat(work: Work) -> float:
    """Moments at which anything begins."""
    return len({slot(s.onset) for s in work.sounds}) / work.end


def onsets_on_the_beat(work: Work) -> float:
    """Of all notes, those that begin on a beat."""
    return fmean(slot(s.onset) % SLOTS == 0 for s in work.sounds)


def melodic_range(work: Work) -> float:
    """Semitones from the melody's lowest pitch to its highest."""
    pitches = [s.pitch for s in work.melody]
    return float(max(pitches) - min(pitches))


def distinct_pitches(work: Work) -> float:
    return float(len({s.pitch for s in work.melody}))


def varied_bars(work: Work) -> float:
    """Of the melody's bars, those that vary an earlier one."""
    squeezed = 4 / work.beats_a_bar
    melody = tuple(Sound(s.onset * squeezed, s.length * squeezed, s.pitch) for s in work.melody)
    return returns(Tune(work.tonic, minor=False, melody=melody))[1]


ROWS: Mapping[str, Row] = {
    "melody > octave above next voice": melody_far_above,
    "gap to the next voice": gap_to_next_voice,
    "gap to the bass": gap_to_bass,
    "thirds and closer below G3": low_close_intervals,
    "bass pitch": bass_pitch,
    "bass onsets a beat": bass_onsets,
    "bass, longest run of steps": bass_steps,
    "accompaniment patterns, bits": accompaniment_patterns,
    "density, autocorrelation": density_autocorrelation,
    "moving under a held melody": moving_under_held_melody,
    "alone or in unison": alone_or_in_unison,
    "steps in lower voices": lower_steps,
    "outer parallels": outer_parallels,
    "foreign tones": foreign_tones,
    "onsets a beat": onsets_a_beat,
    "notes on the beat": onsets_on_the_beat,
    "melodic range": melodic_range,
    "distinct pitches": distinct_pitches,
    "varied bars": varied_bars,
}
#: What a melody for one voice has, where quartets' go far beyond it.
MELODIC = ("melodic range", "distinct pitches")
