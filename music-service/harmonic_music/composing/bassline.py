"""The bass: a line that leads from chord to chord, not a row of roots.

First the tone of each chord is chosen so that the line moves little, or by fourths and fifths. Then
the bass's manner fills the time in between with chord tones and steps that lead on.
"""

from collections.abc import Sequence

from harmonic_music.composing.dice import Dice
from harmonic_music.composing.form import Bar, Field, Phrase, Scene
from harmonic_music.composing.harmony import Span
from harmonic_music.composing.part import Tone
from harmonic_music.composing.shape import Shape
from harmonic_music.composing.variation import Derived, struck_along
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.styles.basses import BASSES
from harmonic_music.theory.chords import Chord
from harmonic_music.theory.intervals import OCTAVE
from harmonic_music.theory.meters import UNITS_PER_BEAT, Meter

LOWEST_BASS, HIGHEST_BASS = 36, 57
_CENTRE = 47
#: The cost of a movement, by semitones; a wider one costs as much as the last.
_FAR = (3, 2, 2, 2, 3, 1, 7, 2, 6, 7, 8, 9, 5)
#: The added cost of another tone of the chord than its usual one.
_INVERTED = 1
#: Thousandths of phrases, and of bars, in which the bass plays its usual and another pattern.
_USUAL, _STRAYS = 800, 150
_STRONG_WEIGHT, _FOUR_BARS = 3, 4
#: Steps in a row after which a line leaps before it goes on.
_MOST_STEPS, _STEP = 2, 2
#: Strikes of one tone in a row after which the fifth, the octave or the third replaces it.
_MOST_REPEATED, _OCTAVE_EVERY = 2, 3
#: Semitones above its register that passing tones of the bass may reach.
_OVER = 2


class Bassist:
    """Writes the bass of a piece; ``room`` is how many notes per beat it may have."""

    def __init__(self, meter: Meter, room: int, shape: Shape) -> None:
        self._meter, self._room = meter, room
        self._pure = shape.consonance
        self._rungs: dict[Field, list[int]] = {}
        self._variant = 0

    def tones(
        self, spans: Sequence[Span], goal: Span | None, before: int | None, dice: Dice
    ) -> list[int]:
        """The bass's pitch for each chord, and for the last chord."""
        ahead = [*spans, goal] if goal else list(spans)
        places = [
            [(pitch, number) for number, tone in enumerate(span.bass) for pitch in _places(tone)]
            for span in ahead
        ]
        # The cheapest path through all of them, computed from the end backwards.
        costs: list[dict[int, int]] = [dict.fromkeys((p for p, _ in places[-1]), 0)]
        for row, following in zip(places[-2::-1], places[:0:-1], strict=True):
            after = costs[-1]
            costs.append(
                {
                    pitch: min(
                        _distance(pitch, other) + _strain(other, number) + after[other]
                        for other, number in following
                    )
                    for pitch, _ in row
                }
            )
        found: list[int] = []
        last = before if before is not None else _CENTRE - dice.below(5)
        for row, after in zip(places, reversed(costs), strict=True):
            last = min(
                row,
                key=lambda it: (_distance(last, it[0]) + _strain(*it) + after[it[0]], it[0]),
            )[0]
            found.append(last)
        return found

    def line(
        self,
        phrase: Phrase,
        rows: Sequence[Sequence[Span]],
        tones: Sequence[int],
        rhythm: Sequence[Derived],
        dice: Dice,
    ) -> list[Tone]:
        """The bass of a phrase; ``tones`` are its chords' and, if there is one, the next phrase's.

        ``rhythm`` is the melody's, which the bass shares in some scenes.
        """
        marks: list[tuple[int, str, int]] = []
        number = 0
        self._variant = 0 if dice.chance(_USUAL) else dice.below(64)
        for bar, spans, sung in zip(phrase.bars, rows, rhythm, strict=True):
            stage = phrase.stages[bar.place]
            pattern = self._pattern(phrase, bar, BASSES[stage.bass].variants, dice)
            if stage.scene is Scene.CHORDS:
                marks += _along(bar, spans, struck_along(sung), number)
            elif stage.scene.has_bass:
                marks += _marks(bar, spans, pattern, number)
            number += len(spans)
        flat = [span for spans in rows for span in spans]
        pitches = self._pitches(phrase, marks, flat, tones, dice)
        ends = ([onset for onset, _, _ in marks] + [phrase.end])[1:]
        return [
            Tone(onset, min(end - onset, self._longest(phrase, onset)), pitch)
            for (onset, _, _), end, pitch in zip(marks, ends, pitches, strict=True)
        ]

    def _longest(self, phrase: Phrase, onset: int) -> int:
        """The longest that a note is held: to the end of its bar, or for a beat before a break."""
        bar = phrase.bars[0].length
        into = (onset - phrase.onset) % bar
        last = onset - phrase.onset >= bar * (phrase.whole - 1)
        longest = BASSES[phrase.stage_at(onset).bass].beats * TICKS_PER_BEAT
        return TICKS_PER_BEAT if last and phrase.breaks else min(bar - into, longest)

    def _pattern(
        self,
        phrase: Phrase,
        bar: Bar,
        variants: dict[Meter, tuple[tuple[str, ...], ...]],
        dice: Dice,
    ) -> tuple[str, ...]:
        strays, place = dice.chance(_STRAYS), dice.below(64)
        if bar.length != self._meter.bar * TICKS_PER_BEAT // UNITS_PER_BEAT:
            return ("r",)
        if phrase.breaks and bar.place == phrase.whole - 1:
            return ("r", "-")
        row = [
            pattern
            for pattern in variants[self._meter]
            if sum(mark != "-" for mark in pattern) <= max(self._room, 1)
        ]
        row = row or [("r",)]
        # Once the pattern is known, the second half of four bars varies it.
        turned = max(0, bar.place % _FOUR_BARS - 1) if phrase.number else 0
        usual = self._variant + turned
        return row[(place if strays else usual) % len(row)]

    def _pitches(
        self,
        phrase: Phrase,
        marks: Sequence[tuple[int, str, int]],
        spans: Sequence[Span],
        tones: Sequence[int],
        dice: Dice,
    ) -> list[int]:
        rungs = self._scale(phrase.key)
        found: list[int] = []
        strong = dice.quota()
        for place, (onset, mark, number) in enumerate(marks):
            tone, chord = tones[number], spans[number].chord
            last = found[-1] if found else tone
            if mark == "f":
                other = chord.fifth if tone % OCTAVE != chord.fifth else chord.root
                found.append(_nearest(other, tone))
            elif mark == "t":
                other = chord.third if tone % OCTAVE != chord.third else chord.root
                found.append(_nearest(other, last))
            elif mark == "o":
                found.append(tone + OCTAVE if tone + OCTAVE <= HIGHEST_BASS else tone - OCTAVE)
            elif mark == "p" and not (self._is_strong(phrase, onset) and strong.takes(self._pure)):
                left = 1
                while place + left < len(marks) and marks[place + left][1] == "p":
                    left += 1
                ahead = marks[place + left][2] if place + left < len(marks) else number + 1
                target = tones[min(ahead, len(tones) - 1)]
                if _steps(found) + left > _MOST_STEPS:
                    leap = chord.third if last % OCTAVE != chord.third else chord.fifth
                    found.append(_nearest(leap, last))
                else:
                    upwards = dice.chance(500)
                    found.append(_towards(target, left, last, rungs, upwards=upwards))
            elif mark == "p":
                found.append(_nearest(chord.third if last != tone else chord.fifth, last))
            elif found[-_MOST_REPEATED:] == [tone] * _MOST_REPEATED:
                found.append(_instead(tone, chord, place))
            else:
                found.append(tone)
        return [pitch - OCTAVE if pitch > HIGHEST_BASS + _OVER else pitch for pitch in found]

    def _is_strong(self, phrase: Phrase, onset: int) -> bool:
        """Whether a new harmony is expected here: a step that leads on would sound as its root."""
        units, rest = divmod(onset - phrase.onset, TICKS_PER_BEAT // UNITS_PER_BEAT)
        return not rest and self._meter.weight(units) >= _STRONG_WEIGHT

    def _scale(self, key: Field) -> list[int]:
        if key not in self._rungs:
            tones = {(key.tonic + step) % OCTAVE for step in key.scale.steps}
            self._rungs[key] = [p for p in range(24, 72) if p % OCTAVE in tones]
        return self._rungs[key]


def _instead(tone: int, chord: Chord, place: int) -> int:
    """Another tone of the chord nearby, or the octave."""
    if place % _OCTAVE_EVERY == 0:
        return tone + OCTAVE if tone + OCTAVE <= HIGHEST_BASS else tone - OCTAVE
    others = [it for it in (chord.fifth, chord.third, chord.root) if it != tone % OCTAVE]
    return _nearest(others[place % len(others)], tone)


def _steps(line: Sequence[int]) -> int:
    """The number of steps at the end of a line."""
    found = 0
    for later, earlier in zip(line[::-1], line[-2::-1], strict=False):
        if not 1 <= abs(later - earlier) <= _STEP:
            break
        found += 1
    return found


def _marks(
    bar: Bar, spans: Sequence[Span], pattern: Sequence[str], number: int
) -> list[tuple[int, str, int]]:
    """The marks of a bar with their ticks; each chord begins with its own tone."""
    step = bar.length // len(pattern)
    marks = [(bar.onset + place * step, mark) for place, mark in enumerate(pattern) if mark != "-"]
    found = []
    for place, span in enumerate(spans):
        own = [(onset, mark) for onset, mark in marks if span.onset <= onset < span.end]
        if not own or own[0][0] > span.onset:
            own.insert(0, (span.onset, "r"))
        elif own[0][1] != "r":
            own[0] = (span.onset, "r")
        found += [(onset, mark, number + place) for onset, mark in own]
    return found


def _along(
    bar: Bar, spans: Sequence[Span], onsets: Sequence[int], number: int
) -> list[tuple[int, str, int]]:
    """Notes in the melody's rhythm: the chord's tone, others of it, and steps that lead on."""
    found = []
    for place, span in enumerate(spans):
        own = [bar.onset + onset for onset in onsets if span.onset <= bar.onset + onset < span.end]
        if not own or own[0] > span.onset:
            own.insert(0, span.onset)
        for at, onset in enumerate(own):
            mark = "p" if at == len(own) - 1 else "tof"[at % 3]
            found.append((onset, mark if at else "r", number + place))
    return found


def _places(tone: int) -> range:
    return range(LOWEST_BASS + (tone - LOWEST_BASS) % OCTAVE, HIGHEST_BASS + 1, OCTAVE)


def _distance(one: int, other: int) -> int:
    return _FAR[min(abs(one - other), len(_FAR) - 1)]


def _strain(pitch: int, number: int) -> int:
    """The cost of a pitch by itself: far from the middle, or not the usual tone."""
    return abs(pitch - _CENTRE) // 3 + _INVERTED * number


def _nearest(tone: int, pitch: int) -> int:
    """The octave of a tone that is nearest to a pitch, within the bass's register."""
    return min(_places(tone), key=lambda place: (abs(place - pitch), place))


def _towards(target: int, left: int, last: int, rungs: Sequence[int], *, upwards: bool) -> int:
    """The pitch ``left`` scale steps from a target, on the side from which the line comes."""
    place = min(range(len(rungs)), key=lambda n: (abs(rungs[n] - target), n))
    below = last < target if last != target else upwards
    at = place - left if below else place + left
    if rungs[at] == last and left == 1:
        at = place + left if below else place - left
    return rungs[at]
