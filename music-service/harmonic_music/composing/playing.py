"""Performance of the written notes: velocity, duration, and deviation from the grid.

The score stays as it is written. Swing, rubato, the final ritardando and the unevenness of hands
move notes by ticks after it is finished.
"""

from collections.abc import Iterable, Sequence

from harmonic_music.composing.dice import Dice
from harmonic_music.composing.drumming import DrumStroke
from harmonic_music.composing.form import Form, Phrase
from harmonic_music.composing.part import Tone
from harmonic_music.score import (
    TICKS_PER_BEAT,
    PlayedNote,
    PlayedStroke,
    ScoreNote,
    Voice,
)
from harmonic_music.styles.catalogue import Style
from harmonic_music.theory.meters import UNITS_PER_BEAT

MIN_VELOCITY, MAX_VELOCITY = 12, 124
_UNIT = TICKS_PER_BEAT // UNITS_PER_BEAT

#: The velocity of a voice above the energy: the melody stands out.
_BALANCE = {Voice.MELODY: 20, Voice.COUNTER: 8, Voice.PADS: -4, Voice.BASS: 8}
#: Velocity by metrical weight, from between the eighths to the first of the bar.
_ACCENTS = (-7, -5, 1, 3, 7)
#: A phrase grows louder by this much until two thirds of it, then softer than it began.
_SWELL, _SINK = 13, -7
#: Velocity added for a semitone above the melody's middle, in tenths.
_HEIGHT_TENTHS = 7
_LAST_CHORD_ENERGY = 44
#: The percentage of its time that a note sounds when lengths are not scaled.
_SOUNDING_PERCENT = {Voice.MELODY: 98, Voice.COUNTER: 94, Voice.PADS: 97, Voice.BASS: 90}
#: About ten milliseconds at a middle tempo: a shorter note is heard as a click.
_SHORTEST_TICKS = 12
#: Ticks that a note may ring after its own time.
_LONGEST_OVERLAP_TICKS = 6 * TICKS_PER_BEAT
#: The unevenness of hands: one draw decides velocity and time.
UNEVEN, _LOUDER = 63, 7
#: Ticks by which a voice is usually early or late: the melody leads.
HABIT = {Voice.MELODY: -4, Voice.COUNTER: 2, Voice.PADS: 3, Voice.BASS: 0}
#: The end slows down over this many bars, by this share of their time in thousandths, with drums
#: and without, in pieces of at least this many bars.
_SLOWING_BARS, _FEWEST_BARS = 2, 6
_SLOWING, _SLOWING_WITH_DRUMS = 120, 50
#: Ticks between the tones of the last chord, from the bass up.
_ROLL_TICKS = 14
_WHOLE = 1000
_NEVER = 1 << 60


def slowing_ticks(style: Style, ticks: int) -> int:
    """The ticks by which the slower end of a piece of ``ticks`` is delayed."""
    bar = style.meter.bar * _UNIT
    if ticks < _FEWEST_BARS * bar:
        return 0
    return _SLOWING_BARS * bar * _slowing(style) // _WHOLE


def _slowing(style: Style) -> int:
    return _SLOWING_WITH_DRUMS if style.groove else _SLOWING


class Dynamics:
    """The velocity and duration of a piece's notes."""

    def __init__(self, style: Style, middle: int, touch: int, percent: int) -> None:
        self._style, self._middle = style, middle
        self._percent = percent
        self._sounding = {
            voice: usual + (touch if voice is Voice.MELODY else 0)
            for voice, usual in _SOUNDING_PERCENT.items()
        } | {Voice.PADS: style.legato}
        weights = [style.meter.weight(units) for units in range(style.meter.bar)]
        self._accents = [_ACCENTS[weight] for weight in weights]

    def notes(
        self, phrase: Phrase, voice: Voice, tones: Iterable[Tone], end: int, dice: Dice
    ) -> list[ScoreNote]:
        """A voice's tones in a phrase with velocities and durations; none beyond ``end``."""
        base = phrase.energy + _BALANCE[voice] + self._style.loudness // 2
        usual, percent = self._sounding[voice], self._percent
        onset, bars = phrase.onset, len(self._accents)
        peak = max(1, (phrase.end - onset) * 2 // 3)
        found = []
        for tone in tones:
            into = tone.onset - onset
            wanted = base + self._accents[into // _UNIT % bars] - _LOUDER // 2 + dice.below(_LOUDER)
            if into < peak:
                wanted += _SWELL * into // peak
            else:
                wanted += _SWELL - (_SWELL - _SINK) * (into - peak) // peak
            if voice is Voice.MELODY:
                wanted += _HEIGHT_TENTHS * (tone.pitch - self._middle) // 10
            length = max(tone.length * usual * percent // 10_000, _SHORTEST_TICKS)
            length = min(length, tone.length + _LONGEST_OVERLAP_TICKS, end - tone.onset)
            velocity = min(max(wanted, MIN_VELOCITY), MAX_VELOCITY)
            found.append(ScoreNote(tone.onset, voice, tone.pitch, length, velocity))
        return found

    @staticmethod
    def last(voice: Voice, tones: Iterable[Tone], energy: int) -> list[ScoreNote]:
        """The last chord's tones: they sound to the end."""
        loud = (energy + _LAST_CHORD_ENERGY) // 2 + _BALANCE[voice]
        return [ScoreNote(t.onset, voice, t.pitch, t.length, loud) for t in tones]


def disentangled(notes: Sequence[ScoreNote]) -> list[ScoreNote]:
    """The notes in order; each ends where its pitch begins again, in any voice.

    If two voices would begin the same pitch together, only the first of them does.
    """
    #: By pitch, its next onset, and the one after that.
    again: dict[int, tuple[int, int]] = {}
    kept: dict[tuple[int, int], ScoreNote] = {}
    for note in sorted(notes, key=lambda note: (note.onset, note.voice), reverse=True):
        onset, pitch = note.onset, note.pitch
        following, after = again.get(pitch, (_NEVER, _NEVER))
        following = after if following == onset else following
        again[pitch] = onset, following
        if following < note.end:
            note = ScoreNote(onset, note.voice, pitch, following - onset, note.velocity)  # noqa: PLW2901
        kept[onset, pitch] = note
    return sorted(kept.values(), key=lambda note: (note.onset, note.voice, note.pitch))


def swung(style: Style) -> list[int]:
    """The played tick of each tick of a beat, in a style that may swing."""
    half = TICKS_PER_BEAT // 2
    late = TICKS_PER_BEAT // 6 * style.swing // _WHOLE
    return [
        place * (half + late) // half
        if place < half
        else half + late + (place - half) * (half - late) // half
        for place in range(TICKS_PER_BEAT)
    ]


class Timing:
    """The played time of the grid's ticks."""

    def __init__(self, style: Style, form: Form, end: int) -> None:
        self._form, self._end = form, end
        self._swing = swung(style)
        self._swings, self._rubato = style.swing > 0, 10 * style.rubato
        span = _SLOWING_BARS * style.meter.bar * _UNIT
        self._slows = end > form.end
        self._start = max(0, form.goal - span)
        self._over = end - form.end
        self._steady = style.groove is not None

    def at(self, tick: int, onset: int, length: int) -> int:
        """The played tick of a tick in a phrase of ``length`` ticks from ``onset`` on."""
        played = tick
        if self._swings:
            played += self._swing[tick % TICKS_PER_BEAT] - tick % TICKS_PER_BEAT
        if self._rubato and tick < onset + length:
            into = tick - onset
            bend = self._rubato * into * (length - into) // length * (length - 2 * into)
            played += bend // (length * length)
        if self._slows and tick > self._start:
            way = min(tick, self._form.goal) - self._start
            span = max(1, self._form.goal - self._start)
            played += self._over * way * way // (span * span)
        return played

    def played(self, notes: Sequence[ScoreNote], dice: Dice) -> tuple[PlayedNote, ...]:
        """The notes as they are played, sorted by time."""
        bounds = [(phrase.onset, phrase.end - phrase.onset) for phrase in self._form.phrases]
        bounds = bounds or [(0, max(1, self._form.goal))]
        goal, end, place = self._form.goal, self._end, 0
        found: list[PlayedNote] = []
        rolled = 0
        for note in notes:
            onset = note.onset
            while place + 1 < len(bounds) and bounds[place + 1][0] <= onset:
                place += 1
            begin, length = bounds[place]
            thrown = dice.below(UNEVEN)
            if onset >= goal:
                start = self.at(onset, begin, length)
                start += 0 if self._steady else self._rolled(notes, rolled, start)
                rolled += 1
                until = end
            else:
                start = self.at(onset, begin, length) + HABIT[note.voice] + thrown % 9 - 4
                until = self.at(note.onset + note.length, begin, length) + thrown // 9 - 3
            start = min(max(0, start), end - 1)
            until = min(max(until, start + 1), end)
            found.append(
                PlayedNote(start, note.voice, note.pitch, until - start, note.velocity, onset)
            )
        found.sort()
        return tuple(apart(found))

    def _rolled(self, notes: Sequence[ScoreNote], number: int, start: int) -> int:
        """The delay of a tone of the last chord: the lowest comes first."""
        last = [note.pitch for note in notes if note.onset >= self._form.goal]
        order = sorted(last).index(last[number])
        return min(order * _ROLL_TICKS, max(0, self._end - start - 1) // 8)

    def strokes(self, strokes: Sequence[DrumStroke], dice: Dice) -> tuple[PlayedStroke, ...]:
        """The drums as they are played: they hardly deviate."""
        found = []
        for stroke in strokes:
            start = (
                self.at(stroke.onset, 0, max(1, self._end))
                if self._swings or self._slows
                else stroke.onset
            )
            start = min(max(0, start + dice.below(5) - 2), self._end - 1)
            found.append(PlayedStroke(start, stroke.key, stroke.velocity))
        return tuple(sorted(found))


def apart(notes: Sequence[PlayedNote]) -> list[PlayedNote]:
    """The notes, changed so that no pitch begins while it sounds, or twice at once."""
    again: dict[int, int] = {}
    found: list[PlayedNote] = []
    for note in reversed(notes):
        later = again.get(note.pitch)
        kept = note
        if later is not None:
            if later <= note.onset:
                # Two that were a tick apart coincide: move the earlier one back.
                kept = note._replace(onset=max(0, later - 1), length=1)
            elif later < note.end:
                kept = note._replace(length=later - note.onset)
        again[note.pitch] = kept.onset
        found.append(kept)
    return sorted(found)
