"""All layers together: a phrase's notes from its plan and from what the phrase before left.

What is carried from phrase to phrase is small, and nothing else is: a piece can go on from it
anywhere, without what was before.
"""

from dataclasses import dataclass, field, replace
from itertools import chain

from harmonic_music.composing.bassline import Bassist
from harmonic_music.composing.character import Character
from harmonic_music.composing.colouring import Colourist
from harmonic_music.composing.counter import SecondVoice
from harmonic_music.composing.dice import Dice, Layer
from harmonic_music.composing.drumming import Drummer, Stroke
from harmonic_music.composing.form import Field, Phrase
from harmonic_music.composing.harmony import Colour, Harmonist, Progression, Span, last_span
from harmonic_music.composing.ladder import Ladder
from harmonic_music.composing.melody import Melodist, Sung
from harmonic_music.composing.memory import MOST_THEMES, Theme
from harmonic_music.composing.moments import Moment, moments_of
from harmonic_music.composing.part import Tone
from harmonic_music.composing.playing import Dynamics
from harmonic_music.composing.rhythm import Rhythmist
from harmonic_music.composing.shape import Shape
from harmonic_music.composing.texture import Texture
from harmonic_music.composing.variation import Derived
from harmonic_music.composing.voicing import (
    FIRST_VOICING,
    HIGHEST_CEILING,
    LOWEST_CEILING,
    Voicing,
    nearest_voicing,
)
from harmonic_music.score import ScoreNote, Voice
from harmonic_music.styles.catalogue import Style
from harmonic_music.theory.intervals import OCTAVE

#: The theme that a piece begins with.
FIRST_THEME = "AA"
#: Of the room for notes, the melody's share in percent, and the bass's.
_MELODY_PERCENT, _BASS_PERCENT = 52, 14


@dataclass(frozen=True, slots=True)
class Carried:
    """What a phrase leaves to the next: where its harmony and its voices are, and its themes."""

    degree: int | None = None
    key: Field | None = None
    melody: tuple[int, int] | None = None
    bass: int | None = None
    voicing: Voicing = FIRST_VOICING
    section: str = ""
    chorus: int = 0
    themes: dict[str, Theme] = field(default_factory=dict)

    def remembering(self, theme: Theme) -> "Carried":
        """The same, with the theme of another piece for its first one."""
        return replace(self, themes={**self.themes, FIRST_THEME: theme})


@dataclass(frozen=True, slots=True)
class PhraseNotes:
    """What a phrase sounds."""

    notes: list[ScoreNote]
    strokes: list[Stroke]


class Ensemble:
    """The players of one piece; ``room`` is for hundredths of notes a beat, and strokes a bar."""

    def __init__(
        self,
        style: Style,
        shape: Shape,
        character: Character,
        room: tuple[int, int],
        home: Field,
        dice: list[Dice],
    ) -> None:
        notes, strokes = room
        bar_beats = style.meter.bar // 12
        self._meter = style.meter
        self._harmonist = Harmonist(
            style, character, Colour(shape.consonance, shape.chromatic, dice[Layer.COLOUR])
        )
        melody_room = notes * _MELODY_PERCENT // 100
        self._rhythmist = Rhythmist(
            style, shape.liveliness, 2 * melody_room, character, dice[Layer.RHYTHM]
        )
        self._melodist = Melodist(shape, character)
        self._bassist = Bassist(style.meter, notes * _BASS_PERCENT // 100 * bar_beats // 100, shape)
        rest = 100 - _MELODY_PERCENT - _BASS_PERCENT
        self._texture = Texture(style.meter, notes * rest // 100 * bar_beats // 100, shape)
        self._second = SecondVoice(style, shape.liveliness)
        self._drummer = Drummer(style, strokes)
        self._colourist = Colourist(home, shape.chromatic, style.meter)
        self._dynamics_of = style, character.touch, shape.length_percent
        self._dynamics: Dynamics | None = None
        self._dice = dice[Layer.BASS]

    def phrase(
        self,
        phrase: Phrase,
        carried: Carried,
        goal: tuple[int, int] | None,
        end: int,
        dice: list[Dice],
    ) -> tuple[PhraseNotes, Carried]:
        """The phrase's notes, none beyond ``end``, and what it leaves to the next.

        ``goal`` is where the piece's last chord begins and ends, where that follows.
        """
        theme = carried.themes.get(phrase.theme, Theme((), ()))
        rows, degree, slots = self._chords(phrase, carried, theme, dice)
        flat = list(chain.from_iterable(rows))
        final = last_span(phrase.key, *goal) if goal else None
        known = [[onset for onset, _ in bar] for bar in theme.melody]
        rhythm = self._rhythmist.bars(phrase, known, dice[Layer.RHYTHM])
        tones = self._bassist.tones(flat, final, carried.bass, dice[Layer.BASS])
        bass = self._bassist.line(phrase, rows, tones, dice[Layer.BASS])
        struck = [(tone.onset, tone.pitch) for tone in bass]
        moments = moments_of(phrase, rows, rhythm, struck, self._meter, final)
        pitches = self._melodist.sing(
            phrase, moments, rhythm, theme.melody, carried.melody, dice[Layer.MELODY]
        )
        sung = phrase.players.melody
        voicings = self._voicings(flat, tones, moments if sung else [], pitches, carried.voicing)
        parts = {
            Voice.MELODY: _melody(moments, pitches, final) if sung else [],
            Voice.COUNTER: self._second.tones(
                phrase,
                moments[: len(moments) - (final is not None)],
                pitches,
                final.onset if final else phrase.end,
                dice[Layer.COUNTER],
            )
            if sung
            else [],
            Voice.PADS: self._texture.tones(phrase, rows, voicings, dice[Layer.ACCOMPANIMENT])
            if phrase.players.pads
            else [],
            Voice.BASS: bass if phrase.players.bass else [],
        }
        lines = [parts[voice] for voice in (Voice.BASS, Voice.COUNTER, Voice.MELODY)]
        self._colourist.coloured(phrase, lines, parts[Voice.PADS], dice[Layer.COLOUR])
        if sung:
            pitches = [tone.pitch for tone in parts[Voice.MELODY]] + pitches[
                len(parts[Voice.MELODY]) :
            ]
        dynamics = self._loudness(phrase.key)
        notes = [
            note
            for voice, part in parts.items()
            for note in dynamics.notes(phrase, voice, part, end, dice[Layer.DYNAMICS])
        ]
        strokes = self._drummer.strokes(
            phrase, begins=carried.section != phrase.section, dice=dice[Layer.DRUMS]
        )
        after = Carried(
            degree=degree,
            key=phrase.leads_to or phrase.key,
            melody=(pitches[-2], pitches[-1]) if len(pitches) > 1 else carried.melody,
            bass=tones[-1],
            voicing=voicings[-1] if voicings else carried.voicing,
            section=phrase.section,
            chorus=carried.chorus + 1 if phrase.section != "intro" else 0,
            themes=self._remembered(
                phrase, carried, slots, rhythm, pitches, self._melodist.ladder(phrase.key)
            ),
        )
        return PhraseNotes(notes, strokes), after

    def _chords(
        self, phrase: Phrase, carried: Carried, theme: Theme, dice: list[Dice]
    ) -> tuple[list[list[Span]], int | None, Progression]:
        """A phrase's chords, its last degree, and what a theme keeps of them."""
        if phrase.key.scale.is_blues:
            return self._harmonist.blues(phrase, carried.chorus, dice[Layer.COLOUR]), None, ()
        before = carried.degree if carried.key == phrase.key else None
        slots = self._harmonist.slots(phrase, theme.chords, before, dice[Layer.HARMONY])
        rows = self._harmonist.spans(phrase, slots, dice[Layer.COLOUR])
        return rows, slots[-1][-1].degree, tuple(tuple(row) for row in slots)

    def _voicings(
        self,
        spans: list[Span],
        tones: list[int],
        moments: list[Moment],
        pitches: list[int],
        before: Voicing,
    ) -> list[Voicing]:
        """The upper voices of each chord: below the melody as it is while the chord sounds."""
        lows = [HIGHEST_CEILING] * len(spans)
        place = 0
        for moment, pitch in zip(moments, pitches, strict=False):
            while place < len(spans) - 1 and moment.onset >= spans[place].end:
                place += 1
            lows[place] = min(lows[place], pitch - 1)
        found: list[Voicing] = []
        for span, tone, low in zip(spans, tones, lows, strict=False):
            ceiling = max(low, LOWEST_CEILING)
            before = nearest_voicing(before, span.voices, tone, ceiling)
            found.append(before)
        return found

    def _loudness(self, key: Field) -> Dynamics:
        if self._dynamics is None:
            style, touch, percent = self._dynamics_of
            middle = self._melodist.ladder(key).height(50)
            self._dynamics = Dynamics(style, middle, touch, percent)
        return self._dynamics

    @staticmethod
    def _remembered(
        phrase: Phrase,
        carried: Carried,
        slots: Progression,
        rhythm: list[Derived],
        pitches: list[int],
        ladder: Ladder,
    ) -> dict[str, Theme]:
        """The themes, with this phrase's if it is a new one."""
        known = carried.themes.get(phrase.theme)
        if known is not None or not phrase.players.melody:
            return carried.themes
        melody: list[Sung] = []
        sung = iter(pitches)
        for row in rhythm:
            melody.append(tuple((onset, ladder.degree(next(sung))) for onset, _ in row))
        themes = dict(carried.themes)
        if len(themes) >= MOST_THEMES:
            themes.pop(next(reversed(themes)))
        bar, tones = phrase.bars[0].length, len(phrase.key.scale.steps)
        return {**themes, phrase.theme: Theme(slots, tuple(melody), bar, tones)}

    def last_chord(self, key: Field, goal: tuple[int, int], carried: Carried) -> list[ScoreNote]:
        """The chord that the piece ends on."""
        onset, end = goal
        span = last_span(key, onset, end)
        ladder = self._melodist.ladder(key)
        melody = carried.melody[1] if carried.melody else ladder.tonic
        before = carried.bass if carried.bass is not None else 47
        bass = self._bassist.tones([span], None, before, self._dice)[0]
        # Below a melody that is low, too: on the same pitch, one of them would not be heard.
        bass -= OCTAVE if bass >= melody else 0
        upper = nearest_voicing(carried.voicing, span.voices, bass, max(melody - 1, LOWEST_CEILING))
        length = end - onset
        dynamics = self._loudness(key)
        parts = {
            Voice.MELODY: [Tone(onset, length, melody)],
            Voice.PADS: [Tone(onset, length, pitch) for pitch in upper],
            Voice.BASS: [Tone(onset, length, bass)],
        }
        return [n for voice, part in parts.items() for n in dynamics.last(voice, part, 50)]


def _melody(moments: list[Moment], pitches: list[int], final: Span | None) -> list[Tone]:
    """The melody's tones; the last chord's is written with that chord."""
    count = len(moments) - (final is not None)
    return [
        Tone(moment.onset, moment.length, pitch)
        for moment, pitch in zip(moments[:count], pitches[:count], strict=True)
    ]
