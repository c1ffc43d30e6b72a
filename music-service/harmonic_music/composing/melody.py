"""The melody of a phrase, drawn as a whole and led to its last note.

Notes that return from earlier bars are fixed; the others are drawn around them.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import assert_never

from harmonic_music.composing.character import Character
from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import FREE, Bar, Field, Phrase, Role, Treatment
from harmonic_music.composing.ladder import Degree, Ladder
from harmonic_music.composing.lattice import walk
from harmonic_music.composing.moments import Moment, last_note
from harmonic_music.composing.shape import Shape
from harmonic_music.composing.singing import Options, Singer
from harmonic_music.composing.variation import FAST_TICKS, Derived, Sung
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.theory.intervals import OCTAVE

#: Contours of phrases, in percent of the span at even distances: arches, falls, rises, waves.
_CONTOURS = (
    (25, 60, 92, 40, 15),
    (92, 70, 50, 30, 8),
    (8, 30, 55, 80, 92),
    (75, 15, 45, 85, 40),
    (45, 85, 20, 70, 25),
    (20, 85, 60, 90, 20),
    (60, 25, 8, 45, 70),
    (50, 75, 55, 30, 50),
)
_CONTOUR_WEIGHTS = (6, 4, 3, 3, 3, 4, 2, 3)
#: The contours of the phrases that hold the melody's highest and its lowest note.
_CLIMBING, _SINKING = (30, 70, 98, 60, 20), (55, 25, 4, 30, 50)
#: How much higher a phrase of each role lies, in percent of the span.
_REGISTERS = {Role.CONTRAST: 12, Role.DEVELOPMENT: -8, Role.CLIMAX: 10, Role.CODA: -8}
#: A piece of one phrase need not reach the ends of its span; a short phrase never does.
_BARS_TO_REACH = 3
#: Scale steps by which an idea may be transposed when it returns elsewhere.
_SEQUENCES = (-1, 1, -2, 2, -3, 3)
#: A varied bar keeps its notes up to here, or from here on.
_KEPT_UNTIL = (TICKS_PER_BEAT, 2 * TICKS_PER_BEAT, 3 * TICKS_PER_BEAT)
_FIRST_KEPT = 667
#: A movement's notes; and how many notes back melody and bass may have been struck together.
_MOVEMENT, _TOGETHER = 2, 5


class Melodist:
    """Writes the melody of a piece phrase by phrase."""

    def __init__(self, shape: Shape, character: Character, home: Field, breadth: int) -> None:
        self._shape, self._character = shape, character
        self._breadth = breadth
        self._home = Ladder(home, (shape.width, breadth), character)
        self._singers: dict[Field, tuple[Ladder, Singer]] = {}

    def ladder(self, key: Field) -> Ladder:
        """The pitches of a key that the melody may take."""
        return self._of(key)[0]

    def _of(self, key: Field) -> tuple[Ladder, Singer]:
        if key not in self._singers:
            ladder = self._home.in_key(key, self._character)
            singer = Singer(ladder, key, self._shape, self._character)
            singer.strive(self._breadth)
            self._singers[key] = ladder, singer
        return self._singers[key]

    def sing(
        self,
        phrase: Phrase,
        moments: Sequence[Moment],
        rows: Sequence[Derived],
        known: Sequence[Sung],
        *,
        before: tuple[int, int] | None,
        dice: Dice,
    ) -> list[int]:
        """The pitch of each moment of a phrase; ``before`` are the two pitches sung last.

        ``rows`` are its bars' onsets, ``known`` the bars of its theme. In a closing phrase, the
        last moment is the last chord's.
        """
        singing = (*self._of(phrase.key), dice)
        song = _Song(phrase, moments, rows, known, singing=singing)
        return song.sung(before)


class _Song:
    """A phrase's melody while it is written: the notes so far, and the options for the next."""

    def __init__(
        self,
        phrase: Phrase,
        moments: Sequence[Moment],
        rows: Sequence[Derived],
        known: Sequence[Sung],
        *,
        singing: tuple[Ladder, Singer, Dice],
    ) -> None:
        self._phrase, self._moments, self._rows, self._known = phrase, moments, rows, known
        self._ladder, self._singer, self._dice = singing
        self._options: list[Options] = []
        self._pitches: list[int] = []
        self._before: tuple[int, int] | tuple[()] = ()

    def sung(self, before: tuple[int, int] | None) -> list[int]:
        """The pitch of each moment."""
        phrase, options = self._phrase, self._options
        self._before = before or ()
        contour = self._dice.weighted(_CONTOURS, _CONTOUR_WEIGHTS)
        if phrase.climbs or phrase.sinks:
            contour = _CLIMBING if phrase.climbs else _SINKING
        for bar, row in zip(phrase.bars, self._rows, strict=True):
            if bar.own and bar.treatment not in FREE:
                # Its source is a bar of this phrase, so that one must be written first.
                self._walk()
            moments = self._moments[len(options) : len(options) + len(row)]
            fixed = self._fixed(bar, row, moments)
            for place, moment in enumerate(moments):
                known = fixed.get(place)
                options.append(self._free(moment, contour) if known is None else {known: 1})
        self._finish()
        self._walk()
        return self._pitches

    def _free(self, moment: Moment, contour: tuple[int, ...]) -> Options:
        """The options of a moment without a fixed note."""
        phrase = self._phrase
        way = WHOLE * (moment.onset - phrase.onset) // (phrase.bars[0].length * phrase.whole)
        height = along(contour, min(way, WHOLE)) + _REGISTERS.get(phrase.role, 0)
        return self._singer.options(moment, min(max(height, 0), 100), self._dice)

    def _source(self, bar: Bar) -> list[Degree]:
        """The notes of a bar's source."""
        if bar.source is None or bar.treatment in FREE:
            return []
        if bar.own:
            start = sum(len(row) for row in self._rows[: bar.source])
            sung = self._pitches[start : start + len(self._rows[bar.source])]
            return [self._ladder.degree(pitch) for pitch in sung]
        known = self._known
        return [degree for _, degree in known[bar.source]] if bar.source < len(known) else []

    def _fixed(self, bar: Bar, row: Derived, moments: Sequence[Moment]) -> dict[int, int]:
        """The fixed notes of a bar, by their place."""
        source = self._source(bar)
        notes = {
            place: source[it.origin]
            for place, it in enumerate(row)
            if it.origin is not None and it.origin < len(source)
        }
        if not notes:
            return {}
        ladder, dice = self._ladder, self._dice
        match bar.treatment:
            case Treatment.SEQUENCE:
                notes = _moved(notes, moments, ladder, dice)
            case Treatment.INVERTED:
                axis = source[0][0]
                notes = {place: (2 * axis - step, 0) for place, (step, _) in notes.items()}
                notes = notes if all(map(ladder.reaches, notes.values())) else {}
            case Treatment.FRAGMENT:
                later = {p: d for p, d in notes.items() if row[p].onset >= bar.length // 2}
                notes |= _moved(later, moments, ladder, dice)
            case Treatment.VARIED:
                until, first = dice.choice(_KEPT_UNTIL), dice.chance(_FIRST_KEPT)
                notes = {
                    p: d
                    for p, d in notes.items()
                    if (row[p].onset < until) is first or _is_fast(row, p)
                }
            case (
                Treatment.LITERAL
                | Treatment.AUGMENTED
                | Treatment.ORNAMENTED
                | Treatment.REHARMONISED
            ):
                pass
            case Treatment.NEW | Treatment.RHYTHM:
                notes = {}
            case _:
                assert_never(bar.treatment)
        return {place: ladder.pitch(degree) for place, degree in notes.items()}

    def _finish(self) -> None:
        """Constrain the phrase's begin, end and extreme notes."""
        phrase, options, singer = self._phrase, self._options, self._singer
        if phrase.opens:
            options[:1] = [singer.opening(first) for first in options[:1]]
        last = phrase.bars[-1]
        if phrase.closing:
            options[-1:] = [singer.approaching(one) for one in options[-1:]]
            options.append(singer.landing())
        elif self._rows[-1] and not phrase.elided and phrase.is_last(last):
            onsets = [begun.onset for begun in self._rows[-1]]
            ending = len(options) - len(onsets) + onsets.index(last_note(onsets, last.length))
            options[ending] = singer.closing(options[ending], phrase.cadence)
            for upbeat in range(ending + 1, len(options)):
                options[upbeat] = singer.leading(options[upbeat])
        if len(phrase.bars) >= _BARS_TO_REACH and (phrase.climbs or phrase.sinks):
            end = -1 if phrase.climbs else 0
            _reach(self._ladder.pitches[end], options, self._moments)

    def _walk(self) -> None:
        """Draw the notes from here on, through their options."""
        start, sung, moments = len(self._pitches), self._pitches, self._moments
        if start == len(self._options):
            return
        tail = [*self._before, *sung][-_MOVEMENT:]

        def adjusted(
            values: list[int], places: Sequence[int], went: Sequence[int], number: int
        ) -> list[int]:
            last = [*tail, *went[-_MOVEMENT:]][-_MOVEMENT:]
            place = start + number
            if len(last) < _MOVEMENT or place == 0 or moments[place].move.binds:
                return values
            together = None
            for back in range(place - 1, max(-1, place - _TOGETHER), -1):
                if moments[back].struck:
                    pitch = went[back - start] if back >= start else sung[back]
                    together = pitch, moments[back].bass
                    break
            at = moments[place - 1], moments[place]
            return self._singer.after((last[0], last[1]), at, together, values, places)

        low, high = self._ladder.pitches[0], self._ladder.pitches[-1]
        last = min(max(tail[-1], low), high) if tail else None
        sung += walk(
            self._options[start:],
            [self._ladder.movement(moment.move) for moment in moments[start:]],
            last,
            self._dice.place,
            adjusted,
        )


def _is_fast(row: Derived, place: int) -> bool:
    """Whether a note belongs to a gesture: a part of one would be meaningless."""
    near = row[max(0, place - 1) : place + 2]
    return any(b.onset - a.onset <= FAST_TICKS for a, b in pairwise(near))


def _moved(
    notes: dict[int, Degree], moments: Sequence[Moment], ladder: Ladder, dice: Dice
) -> dict[int, Degree]:
    """The idea, transposed by the number of steps that suits the chords best."""
    possible, weights = [], []
    for by in _SEQUENCES:
        way = {place: (step + by, 0) for place, (step, _) in notes.items()}
        if not way or not all(map(ladder.reaches, way.values())):
            continue
        held = sum(
            moments[place].strong
            and ladder.pitch(degree) % OCTAVE in moments[place].span.chord.triad
            for place, degree in way.items()
        )
        possible.append(way)
        weights.append(1 + 8 * held * held)
    return dice.weighted(possible, weights) if possible else notes


def _reach(pitch: int, options: list[Options], moments: Sequence[Moment]) -> None:
    """Have the melody touch its highest pitch, or its lowest, which are avoided elsewhere."""
    tone = pitch % OCTAVE
    free = [place for place, weights in enumerate(options[:-1]) if len(weights) > 1]
    fitting = [place for place in free if tone in moments[place].span.chord.tones]
    best = [
        place
        for place in fitting
        if moments[place].strong and tone in moments[place].span.chord.triad
    ]
    places = best or fitting or free
    if places:
        options[places[len(places) // 2]] = {pitch: 1}


def along(contour: tuple[int, ...], way: int) -> int:
    """The height of a contour at a point of the phrase in thousandths, in percent of the span."""
    place, rest = divmod(way * (len(contour) - 1), WHOLE)
    if place >= len(contour) - 1:
        return contour[-1]
    return contour[place] + (contour[place + 1] - contour[place]) * rest // WHOLE
