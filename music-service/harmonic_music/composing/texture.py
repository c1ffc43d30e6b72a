"""The upper voices of a phrase: its figure on its chords, with voices that move between them."""

from collections.abc import Sequence
from functools import lru_cache

from harmonic_music.composing.dice import Dice
from harmonic_music.composing.form import Bar, Field, Phrase, Scene
from harmonic_music.composing.harmony import Span
from harmonic_music.composing.part import Tone
from harmonic_music.composing.restriking import Restriking
from harmonic_music.composing.shape import Shape, between
from harmonic_music.composing.variation import Derived, struck_along
from harmonic_music.composing.voicing import Voicing
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.styles.figures import FIGURES, AccompanimentFigure, Pattern
from harmonic_music.theory.intervals import OCTAVE
from harmonic_music.theory.meters import Meter

#: How often a phrase has the figure's usual variant, a bar another one than its phrase, and a
#: phrase's last bar a held chord.
_USUAL, _STRAYS, _HELD_END = 800, 200, 220
#: The share of possible chords in which a voice passes on, is held over, or turns to its
#: neighbour.
_PASSING, _SUSPENDED, _NEIGHBOURING = 900, 200, 500
#: The share of a figure's neighbour strikes that are played as such.
_TURNS = (1000, 1000, 950, 820, 600, 320, 60)
#: The share of a voice's whole steps that are filled with the semitone between, in percent of the
#: chromatic share.
_CHROMATIC_PERCENT = 70
#: How often voices that were silent enter a beat after the bar's first.
_LATE = 600
#: The share of chords struck again on weak places in which voices turn, and which voices do.
_ALIVE = 1150
_LIVELY = ((1, 2), (2,), (0, 2), (0, 1, 2), (1, 2))
_STRONG_WEIGHT, _FEW_VOICES = 3, 2
_FOUR_BARS = 4
_HELD: Pattern = (((0, 0), (1, 0), (2, 0)), ())
_SKIP = range(3, 5)
_STEP = range(1, 3)
_WHOLE_TONE = 2
#: A chord of fewer beats leaves no time for a voice to move.
_TIME_TO_MOVE = 2 * TICKS_PER_BEAT

#: The onset of a voice's strike, and its pitch.
Strike = tuple[int, int]


class Texture:
    """Plays figures; ``room`` is how many strikes per bar it may have."""

    def __init__(self, meter: Meter, room: int, shape: Shape) -> None:
        self._meter, self._room = meter, room
        self._chromatic = shape.chromatic * _CHROMATIC_PERCENT // 100
        self._turned = self._variant = 0
        #: The purer the harmony, the less its voices leave its tones.
        self._leaves = 1100 - shape.consonance * 6 // 10
        self._turns = between(shape.consonance, _TURNS)

    def tones(
        self,
        phrase: Phrase,
        rows: Sequence[Sequence[Span]],
        voicings: Sequence[Voicing],
        rhythm: Sequence[Derived],
        dice: Dice,
    ) -> list[Tone]:
        """The upper voices of a phrase; ``voicings`` are its chords', ``rhythm`` the melody's."""
        width = max(map(len, voicings), default=0)
        strikes: list[list[tuple[int, int, int]]] = [[] for _ in range(width)]
        self._turning, self._alive = dice.quota(), dice.quota()
        self._turned = dice.below(64)
        self._variant = 0 if dice.chance(_USUAL) else dice.below(64)
        number = 0
        #: Whether voices move melodically in each chord.
        moving: list[bool] = []
        for bar, spans, sung in zip(phrase.bars, rows, rhythm, strict=True):
            stage = phrase.stages[bar.place]
            figure = FIGURES[stage.figure]
            pattern, held = self._pattern(phrase, bar, figure, dice)
            late = dice.chance(_LATE)
            along = struck_along(sung)
            if stage.scene is Scene.CHORDS and width * len(along) <= self._room:
                chords = list(zip(spans, voicings[number:], strict=False))
                begun = [bar.onset + onset for onset in along]
                self._along(phrase.key, strikes, chords, begun)
            elif stage.scene.has_pads:
                first = [len(row) for row in strikes]
                self._strike(
                    phrase, strikes, bar, spans, voicings[number:], way=(pattern, held, figure)
                )
                if late and bar.place and not phrase.stages[bar.place - 1].scene.has_pads:
                    _enter_late(strikes, first, bar.onset + TICKS_PER_BEAT)
            moving += [stage.scene.has_pads and figure.moves and not stage.thin] * len(spans)
            number += len(spans)
        flat = [span for spans in rows for span in spans]
        if any(moving):
            lead = _Leading(phrase, flat, voicings, (self._chromatic, self._leaves), dice)
            strikes = [lead.moved(voice, row, moving) for voice, row in enumerate(strikes)]
        whole = self._meter.bar * TICKS_PER_BEAT // 12
        strikes = Restriking(scale_tones(phrase.key), whole, self._turns, dice).varied(strikes)
        return sorted(
            (tone for row in strikes for tone in _held(row, phrase.end)),
            key=lambda tone: (tone.onset, tone.pitch),
        )

    def _along(
        self,
        key: Field,
        strikes: list[list[tuple[int, int, int]]],
        chords: Sequence[tuple[Span, Voicing]],
        begun: Sequence[int],
    ) -> None:
        """Strike all voices where the melody has begun a note."""
        for span, voicing in chords:
            own = [onset for onset in begun if span.onset <= onset < span.end]
            if not own or own[0] > span.onset:
                own.insert(0, span.onset)
            for place, onset in enumerate(own):
                struck = dict.fromkeys(range(len(voicing)), 0)
                if place and place < len(own) - 1:
                    self._enliven(struck)
                for voice, pitch in enumerate(voicing):
                    by = struck[voice]
                    sung = self._beside(key, pitch, by) if by else pitch
                    strikes[voice].append((onset, sung, span.end))

    def _pattern(
        self, phrase: Phrase, bar: Bar, figure: AccompanimentFigure, dice: Dice
    ) -> tuple[Pattern, bool]:
        """A bar's pattern, and whether its chords are simply held."""
        strays, place, held = dice.chance(_STRAYS), dice.below(64), dice.chance(_HELD_END)
        if phrase.is_last(bar) and (held or phrase.breaks):
            return _HELD, not phrase.breaks
        if bar.length != self._meter.bar * TICKS_PER_BEAT // 12:
            return _HELD, True
        row = [
            pattern
            for pattern in figure.variants[self._meter]
            if sum(map(len, pattern)) <= self._room
        ]
        if not row:
            return _HELD, True
        # The second half of four bars is varied.
        usual = self._variant + max(0, bar.place % _FOUR_BARS - 1)
        return row[(place if strays else usual) % len(row)], False

    def _strike(
        self,
        phrase: Phrase,
        strikes: list[list[tuple[int, int, int]]],
        bar: Bar,
        spans: Sequence[Span],
        voicings: Sequence[Voicing],
        *,
        way: tuple[Pattern, bool, AccompanimentFigure],
    ) -> None:
        """Strike a bar's voices: onset, pitch and end of each."""
        pattern, held, figure = way
        stage = phrase.stages[bar.place]
        thin = stage.thin or stage.scene is Scene.THIRDS
        step = bar.length // len(pattern)
        marks = [(bar.onset + place * step, mark) for place, mark in enumerate(pattern) if mark]
        limit = figure.hold * step if figure.hold and not held else bar.length
        if pattern is _HELD and not held:
            limit = TICKS_PER_BEAT
        for span, voicing in zip(spans, voicings, strict=False):
            own = [(onset, mark) for onset, mark in marks if span.onset <= onset < span.end]
            late = not own or own[0][0] > span.onset
            if late and (figure.strikes or held or (span is not spans[0] and not own)):
                own.insert(0, (span.onset, tuple((voice, 0) for voice in range(len(voicing)))))
            top = len(voicing) - 1
            for place, (onset, mark) in enumerate(own):
                struck = {min(voice, top): by for voice, by in reversed(mark)}
                if place and place < len(own) - 1 and self._is_weak(bar, onset):
                    self._enliven(struck)
                if stage.scene is Scene.HANDED:
                    struck = {top: 0} if struck else {}
                elif thin and len(struck) > 1:
                    struck.pop(top, None)
                for voice, by in struck.items():
                    pitch = (
                        self._beside(phrase.key, voicing[voice], by)
                        if by and self._turning.takes(self._turns)
                        else voicing[voice]
                    )
                    strikes[voice].append((onset, pitch, min(span.end, onset + limit)))

    def _is_weak(self, bar: Bar, onset: int) -> bool:
        units, rest = divmod(onset - bar.onset, TICKS_PER_BEAT // 12)
        return rest > 0 or self._meter.weight(units) < _STRONG_WEIGHT

    def _enliven(self, struck: dict[int, int]) -> None:
        """Have one or two voices of a repeated chord move to neighbours."""
        if len(struck) < _FEW_VOICES or not self._alive.takes(self._turns * _ALIVE // 1000):
            return
        self._turned += 1
        for voice in _LIVELY[self._turned % len(_LIVELY)]:
            if voice in struck:
                struck[voice] = -1 if self._turned // 2 % 2 else 1

    @staticmethod
    def _beside(key: Field, pitch: int, by: int) -> int:
        """The tone of the scale next to a pitch, above or below."""
        tones = scale_tones(key)
        return next(p for p in range(pitch + by, pitch + 5 * by, by) if p % OCTAVE in tones)


def _enter_late(
    strikes: list[list[tuple[int, int, int]]], begun: Sequence[int], start: int
) -> None:
    """Leave out strikes before the voices enter; one that lasts until then begins there."""
    for row, first in zip(strikes, begun, strict=True):
        later = [
            (max(onset, start), pitch, end)
            for onset, pitch, end in row[first:]
            if onset >= start or end > start
        ]
        row[first:] = later[len(later) - len({onset for onset, _, _ in later}) :]


def _held(strikes: Sequence[tuple[int, int, int]], end: int) -> list[Tone]:
    """Each strike, held until the same voice is struck again."""
    nexts = [*(onset for onset, _, _ in strikes), end][1:]
    return [
        Tone(onset, min(until, following) - onset, pitch)
        for (onset, pitch, until), following in zip(strikes, nexts, strict=True)
        if min(until, following) > onset
    ]


@lru_cache(maxsize=512)
def scale_tones(key: Field) -> frozenset[int]:
    """The pitch classes of a key."""
    return frozenset((key.tonic + step) % OCTAVE for step in key.scale.steps)


class _Leading:
    """Moves voices of held chords: they pass, are held over and resolve, or turn."""

    def __init__(
        self,
        phrase: Phrase,
        spans: Sequence[Span],
        voicings: Sequence[Voicing],
        shares: tuple[int, int],
        dice: Dice,
    ) -> None:
        key = phrase.key
        self._tones = scale_tones(key)
        self._spans, self._voicings, self._dice = spans, voicings, dice
        self._chromatic, self._leaves = shares
        self._near = dice.quota()
        #: The chords in which some voice moves already.
        self._taken: set[int] = set()

    def moved(
        self, voice: int, strikes: Sequence[tuple[int, int, int]], moving: Sequence[bool]
    ) -> list[tuple[int, int, int]]:
        """A voice's strikes with its movements between them, in the chords in which voices move."""
        found = list(strikes)
        for number, span in enumerate(self._spans[:-1]):
            rows = self._voicings[number], self._voicings[number + 1]
            if voice >= min(map(len, rows)) or span.length < _TIME_TO_MOVE:
                continue
            one, other = rows[0][voice], rows[1][voice]
            thrown = self._dice.below(1000) * 1000 // self._leaves
            if number in self._taken or not moving[number]:
                continue
            if abs(other - one) in _SKIP and thrown < _PASSING:
                middle = next(
                    (
                        p
                        for p in range(min(one, other) + 1, max(one, other))
                        if p % OCTAVE in self._tones
                    ),
                    None,
                )
                if middle is not None:
                    found.append((span.end - self._late(), middle, span.end))
                    self._taken.add(number)
            elif abs(one - other) == _WHOLE_TONE and self._near.takes(self._chromatic):
                middle = (one + other) // 2
                found.append((span.end - self._late(), middle, span.end))
                self._taken.add(number)
            elif one - other in _STEP and thrown < _SUSPENDED:
                self._suspend(found, number, one)
            elif one == other and thrown < _NEIGHBOURING:
                self._turn(found, number, one)
        return sorted(found)

    def _turn(self, found: list[tuple[int, int, int]], number: int, pitch: int) -> None:
        """Have a held tone turn to the one above it and back."""
        neighbour = pitch + 1 if (pitch + 1) % OCTAVE in self._tones else pitch + 2
        if neighbour % OCTAVE in self._tones:
            end = self._spans[number].end
            found.append((end - TICKS_PER_BEAT, neighbour, end))
            self._taken.add(number)

    def _late(self) -> int:
        """How long before the next chord a voice moves on: a beat, or half of one."""
        return TICKS_PER_BEAT // (2 if self._dice.chance(600) else 1)

    def _suspend(self, found: list[tuple[int, int, int]], number: int, held: int) -> None:
        """Hold a tone over into the next chord, and resolve it downwards a beat later."""
        after = self._spans[number + 1]
        for place, (onset, pitch, end) in enumerate(found):
            if onset == after.onset and after.length >= _TIME_TO_MOVE:
                found[place] = (onset + TICKS_PER_BEAT, pitch, max(end, onset + 2 * TICKS_PER_BEAT))
                found.append((onset, held, onset + TICKS_PER_BEAT))
                self._taken.add(number + 1)
                return
