"""A segment's notes: the bars of a phrase that are composed together, and what they leave."""

from dataclasses import dataclass, replace
from functools import lru_cache

from harmonic_music.composing.dice import WHOLE, Dice, Layer, dice_of
from harmonic_music.composing.ensemble import Ensemble
from harmonic_music.composing.form import Field, Phrase, Role
from harmonic_music.composing.harmony import ChordSlot
from harmonic_music.composing.memory import Theme
from harmonic_music.composing.playing import HABIT, UNEVEN, apart, disentangled, swung
from harmonic_music.composing.written import WrittenPhrase
from harmonic_music.endless.course import Purpose, chapter_at, key_of, number_of, phrase_of
from harmonic_music.endless.segment import Segment, ThemeHistory
from harmonic_music.endless.wire import read_segment
from harmonic_music.score import TICKS_PER_BEAT, PlayedNote, PlayedStroke
from harmonic_music.styles.catalogue import STYLES

#: There is place for so many hundredths of notes a beat, and so many strokes a bar.
_ROOM = 900, 24
#: Between a note that rings over a bar's end and the same pitch after it there are so many ticks:
#: as many as a note may come early.
_APART_TICKS = 12
#: So many segments are kept, for the bars of them that are still to come.
_KEPT = 256
_NEUTRAL_TEMPO = 120.0
#: The themes that go on from chapter to chapter; how often the first of them is new, and how often
#: the last chapter's contrast comes again as what is developed, in thousandths.
_LASTING = ("AA", "AB")
_RENEWED, _RECALLED = 200, 350


@dataclass(frozen=True, slots=True)
class ComposedSegment:
    """A segment, its phrase, and for each of its bars the notes and the strokes.

    Ticks count from the bar's beginning; a note that ends after its bar rings into the next.
    """

    segment: Segment
    phrase: Phrase
    written: WrittenPhrase
    bars: tuple[tuple[PlayedNote, ...], ...]
    strokes: tuple[tuple[PlayedStroke, ...], ...]

    @property
    def end(self) -> int:
        """The place in the phrase of the first bar after it."""
        return self.segment.first + len(self.bars)


@lru_cache(maxsize=_KEPT)
def composed(seed: int, text: str) -> ComposedSegment:
    """The segment of a state's text, composed."""
    segment = read_segment(text)
    style, asked = STYLES[segment.style], segment.asked
    phrase = phrase_of(seed, segment)
    chapter = chapter_at(seed, segment)
    theme = _theme(segment, phrase)
    carried = replace(
        segment.carried,
        themes={phrase.theme: theme} if theme.melody else {},
        chorus=chapter.slots[segment.slot].within,
    )
    ensemble = Ensemble(
        style,
        asked.shape(_NEUTRAL_TEMPO),
        chapter.character,
        asked.home,
        room=_ROOM,
        breadth=WHOLE,
        dice=dice_of(seed, number_of(Purpose.CHAPTER, segment.chapter)),
    )
    dice = dice_of(seed, segment.start + 1)
    written = ensemble.phrase(phrase, carried, goal=None, end=phrase.end, dice=dice)
    bars, strokes = _played(written, swung(style), dice[Layer.STYLE])
    return ComposedSegment(segment, phrase, written, bars, strokes)


def _theme(segment: Segment, phrase: Phrase) -> Theme:
    """The theme that the bars to be composed come from: behind it stand those played already."""
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
    written: WrittenPhrase, swing: list[int], dice: Dice
) -> tuple[tuple[tuple[PlayedNote, ...], ...], tuple[tuple[PlayedStroke, ...], ...]]:
    """The notes and strokes of each bar as they are played: a little off the grid."""
    phrase = written.phrase

    def at(tick: int) -> int:
        beat, within = divmod(tick, TICKS_PER_BEAT)
        return beat * TICKS_PER_BEAT + swing[within]

    bars: list[list[PlayedNote]] = [[] for _ in phrase.bars]
    strokes: list[list[PlayedStroke]] = [[] for _ in phrase.bars]
    begin, bar = phrase.bars[0].onset, phrase.bars[0].length
    for note in disentangled(written.notes):
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
        start = min(max(0, at(into) + dice.below(5) - 2), bar - 1)
        strokes[place].append(PlayedStroke(start, stroke.key, stroke.velocity))
    return tuple(tuple(apart(sorted(row))) for row in bars), tuple(
        tuple(sorted(row)) for row in strokes
    )


def resumed(done: ComposedSegment, place: int, start: int) -> Segment:
    """The segment that goes on in the phrase from a place after the first of this one."""
    segment, count = done.segment, place - done.segment.first
    here = done.written.theme(count)
    played = replace(
        here,
        chords=(*segment.played.chords, *here.chords),
        melody=(*segment.played.melody, *here.melody),
    )
    left = done.written.left_after(count, segment.carried)
    return replace(
        segment,
        start=start,
        first=place,
        carried=replace(left, themes=segment.carried.themes),
        played=played,
    )


def following(seed: int, done: ComposedSegment) -> Segment:
    """The segment after one that is over: the next phrase, from its beginning."""
    segment = done.segment
    carried = done.written.left(segment.carried)
    carried = replace(carried, themes=segment.carried.themes)
    after = replace(
        segment,
        start=segment.start + len(done.bars),
        first=0,
        leads=False,
        prepared=segment.leads,
        carried=carried,
        played=Theme((), ()),
    )
    if segment.leads and segment.onward:
        whole = chapter_at(seed, segment).slots[segment.slot].length
        return moved_to(seed, after, segment.onward, begun=2 * done.end > whole)
    after = _moved_on(seed, _remembering(after, done))
    return _bound(seed, replace(after, key=segment.onward or segment.key))


def moved_to(seed: int, segment: Segment, key: Field, *, begun: bool = False) -> Segment:
    """The same in a key that was asked for; a phrase that has ``begun`` gives way to the next.

    The blues has chapters of its own.
    """
    if key.scale.is_blues is not segment.key.scale.is_blues:
        segment = _turned(seed, replace(segment, chapter=segment.chapter + 1, slot=0))
    elif begun:
        segment = _moved_on(seed, segment)
    carried = replace(segment.carried, degree=None)
    return _bound(seed, replace(segment, key=key, carried=carried))


def _bound(seed: int, segment: Segment) -> Segment:
    """The same with the key that its phrase leads to."""
    onward = key_of(seed, *_next(seed, segment), segment.asked)
    return replace(segment, onward=None if onward == segment.key else onward)


def _next(seed: int, segment: Segment) -> tuple[int, int]:
    """The chapter and the slot after a segment's."""
    if segment.slot + 1 < len(chapter_at(seed, segment).slots):
        return segment.chapter, segment.slot + 1
    return segment.chapter + 1, 0


def _moved_on(seed: int, segment: Segment) -> Segment:
    """The same at the next phrase; a new chapter forgets what it will have new."""
    chapter, slot = _next(seed, segment)
    segment = replace(segment, chapter=chapter, slot=slot)
    return segment if slot else _turned(seed, segment)


def _turned(seed: int, segment: Segment) -> Segment:
    """The same with the themes that a new chapter begins with.

    The first section's come again and go on changing. Now and then one of them becomes what the
    chapter develops, and another takes its place.
    """
    dice = Dice(seed, Layer.MELODY, number_of(Purpose.CHAPTER, segment.chapter))
    themes, known = segment.carried.themes, segment.known
    kept = {name: name for name in _LASTING}
    if dice.chance(_RENEWED):
        kept = {"AB": "AB", "AA": "CA"}
    elif dice.chance(_RECALLED):
        kept["BA"] = "CA"
    found = {new: themes[old] for old, new in kept.items() if old in themes}
    return replace(
        segment,
        carried=replace(segment.carried, themes=found),
        known={new: ThemeHistory(known[old].cadence) for old, new in kept.items() if old in themes},
    )


def _remembering(after: Segment, done: ComposedSegment) -> Segment:
    """The state after a phrase whose theme was heard: new, or as it has changed."""
    phrase, segment = done.phrase, done.segment
    if phrase.role is Role.INTRO:
        return after
    name, themes, known = phrase.theme, segment.carried.themes, dict(segment.known)
    returns = known[name].returns + 1 if name in themes else 0
    cadence = phrase.cadence if name not in themes else known[name].cadence
    carried = replace(after.carried, themes=themes)
    # A theme of an earlier chapter is remembered as it was first heard in this one.
    if name not in themes or returns == 1:
        here = done.written.theme()
        whole = replace(
            here,
            chords=(*segment.played.chords, *here.chords),
            melody=(*segment.played.melody, *here.melody),
        )
        cadence = phrase.cadence
        if name in themes:
            carried = replace(carried, themes={**themes, name: whole})
        else:
            carried = carried.remembering(name, whole)
    known[name] = ThemeHistory(cadence, returns)
    return replace(after, carried=carried, known={it: known[it] for it in carried.themes})
