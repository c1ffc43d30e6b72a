"""A segment's notes: the bars of a phrase that are composed together, and the state they leave."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from harmonic_music.composing.carried import Carried
from harmonic_music.composing.dice import WHOLE, Dice, Layer, dice_of
from harmonic_music.composing.ensemble import Ensemble
from harmonic_music.composing.form import Phrase
from harmonic_music.composing.harmony import ChordSlot
from harmonic_music.composing.memory import Theme
from harmonic_music.composing.playing import HABIT, UNEVEN, apart, disentangled, swung
from harmonic_music.composing.shape import Shape
from harmonic_music.composing.written import WrittenPhrase
from harmonic_music.endless.arranging import Forces
from harmonic_music.endless.course import chapter_at, phrase_of
from harmonic_music.endless.places import Purpose, number_of
from harmonic_music.endless.segment import Segment
from harmonic_music.endless.wire import read_segment
from harmonic_music.score import TICKS_PER_BEAT, PlayedNote, PlayedStroke, Voice
from harmonic_music.styles.catalogue import STYLES

#: Drum strokes that a bar may have.
_STROKES = 24
#: Ticks between the end of a ringing note and the same pitch in the next bar: as many as a note may
#: come early.
_APART_TICKS = 12
#: Segments that are cached, for their remaining bars.
_KEPT = 256
_NEUTRAL_TEMPO = 120.0
#: By how many thousandths a percent of energy makes the rhythm livelier, and from where on.
_STIR, _MIDDLE_ENERGY = 6, 52


@dataclass(frozen=True, slots=True)
class ComposedSegment:
    """A segment and its phrase; for each of its bars, the notes, the strokes, and the state left.

    Ticks count from the bar's beginning; a note that ends after its bar rings into the next.
    ``left`` is the state that the phrase leaves at its end, ``theme`` the phrase as a theme that
    can return. ``forces`` are those of all bars of the phrase, by place.
    """

    segment: Segment
    phrase: Phrase
    forces: tuple[Forces, ...]
    bars: tuple[tuple[PlayedNote, ...], ...]
    strokes: tuple[tuple[PlayedStroke, ...], ...]
    left_after: tuple[Carried, ...]
    left: Carried
    theme: Theme
    #: Whether its last bar slows down.
    slows: bool

    @property
    def end(self) -> int:
        """The place in the phrase of the first bar after the segment."""
        return self.segment.first + len(self.bars)

    @property
    def begins_section(self) -> bool:
        """Whether a section begins with the phrase: a chapter may begin as the one before ended."""
        segment = self.segment
        begins_chapter = segment.slot == 0 and not segment.prepared
        return begins_chapter or segment.carried.section != self.phrase.section


@lru_cache(maxsize=_KEPT)
def composed(seed: int, text: str) -> ComposedSegment:
    """Compose the segment of a state's text."""
    segment = read_segment(text)
    style, asked = STYLES[segment.style], segment.asked
    phrase, forces = phrase_of(seed, segment)
    chapter = chapter_at(seed, segment)
    theme = _theme(segment, phrase)
    carried = replace(
        segment.carried,
        themes={phrase.theme: theme} if theme.melody else {},
        chorus=chapter.slots[segment.slot].within,
    )
    ensemble = Ensemble(
        style,
        _stirred(asked.shape(_NEUTRAL_TEMPO), phrase.energy),
        chapter.character,
        asked.home,
        room=(asked.room, _STROKES),
        breadth=WHOLE,
        dice=dice_of(seed, number_of(Purpose.CHAPTER, segment.chapter)),
    )
    dice = dice_of(seed, segment.start + 1)
    written = ensemble.phrase(phrase, carried, goal=None, end=phrase.end, dice=dice)
    bars, strokes = _played(written, forces, swung(style), dice[Layer.STYLE])
    here, played = written.theme(), segment.played
    return ComposedSegment(
        segment,
        phrase,
        forces,
        bars,
        strokes,
        left_after=tuple(
            written.left_after(count + 1, segment.carried) for count in range(len(bars))
        ),
        left=replace(written.left(segment.carried), themes=segment.carried.themes),
        theme=replace(
            here,
            chords=(*played.chords, *here.chords),
            melody=(*played.melody, *here.melody),
        ),
        slows=segment.slot == len(chapter.slots) - 1
        and not (chapter.arc.broken or segment.leads or style.groove),
    )


def _stirred(shape: Shape, energy: int) -> Shape:
    """The shape with a rhythm that is the livelier, the more energy a phrase has."""
    liveliness = shape.liveliness + _STIR * (energy - _MIDDLE_ENERGY)
    return replace(shape, liveliness=min(max(liveliness, 0), WHOLE))


def _theme(segment: Segment, phrase: Phrase) -> Theme:
    """The theme of the bars to be composed, followed by the bars that were played already."""
    bar, tones = phrase.bars[0].length, len(phrase.key.scale.steps)
    known = segment.carried.themes.get(phrase.theme, Theme((), (), bar, tones))
    known, played = known.fitted(bar, tones), segment.played
    if not played.melody:
        return known
    free = (ChordSlot(0, bar),)
    chords = (*known.chords[: len(known.melody)], *[free] * (len(known.melody) - len(known.chords)))
    own = (*played.chords, *[free] * (len(played.melody) - len(played.chords)))
    return Theme((*chords, *own), (*known.melody, *played.melody), bar, tones)


def _played(
    written: WrittenPhrase, forces: Sequence[Forces], swing: list[int], dice: Dice
) -> tuple[tuple[tuple[PlayedNote, ...], ...], tuple[tuple[PlayedStroke, ...], ...]]:
    """The notes and strokes of each bar as they are played: a little off the grid."""
    phrase = written.phrase

    def at(tick: int) -> int:
        beat, within = divmod(tick, TICKS_PER_BEAT)
        return beat * TICKS_PER_BEAT + swing[within]

    bars: list[list[PlayedNote]] = [[] for _ in phrase.bars]
    strokes: list[list[PlayedStroke]] = [[] for _ in phrase.bars]
    begin, bar = phrase.bars[0].onset, phrase.bars[0].length
    playing = [forces[it.place] for it in phrase.bars]
    low = [it.has_bass for it in playing]
    drummed = [it.drummed for it in playing]
    for note in disentangled(
        [
            it
            for it in written.notes
            if it.voice is not Voice.BASS or _sounds(low, *divmod(it.onset - begin, bar), bar)
        ]
    ):
        thrown = dice.below(UNEVEN)
        place, into = divmod(note.onset - begin, bar)
        start = min(max(0, at(into) + HABIT[note.voice] + thrown % 9 - 4), bar - 1)
        until = at(into + note.length)
        until += thrown // 9 - 3 if until < bar - _APART_TICKS else -_APART_TICKS
        until = min(max(until, start + 1), phrase.end - note.onset + into)
        bars[place].append(
            PlayedNote(start, note.voice, note.pitch, until - start, note.velocity, into)
        )
    for stroke in written.strokes:
        place, into = divmod(stroke.onset - begin, bar)
        if not _sounds(drummed, place, into, bar):
            continue
        start = min(max(0, at(into) + dice.below(5) - 2), bar - 1)
        strokes[place].append(PlayedStroke(start, stroke.key, stroke.velocity))
    return tuple(tuple(apart(sorted(row))) for row in bars), tuple(
        tuple(sorted(row)) for row in strokes
    )


def _sounds(plays: Sequence[bool], place: int, into: int, bar: int) -> bool:
    """Whether a layer that plays in some bars sounds at a tick of a bar of ``bar`` ticks.

    It ends on the first beat after its last bar, and may enter a beat early.
    """
    if plays[place]:
        return True
    ends = into == 0 and place > 0 and plays[place - 1]
    enters = into >= bar - TICKS_PER_BEAT and place + 1 < len(plays) and plays[place + 1]
    return ends or enters
