"""How the piece goes on: within a phrase, with the next one, in another key, in a new chapter."""

from dataclasses import replace

from harmonic_music.composing.dice import WHOLE, Dice, Layer
from harmonic_music.composing.form import Field, Role
from harmonic_music.composing.memory import Theme
from harmonic_music.endless.arranging import heard_after
from harmonic_music.endless.composed import ComposedSegment
from harmonic_music.endless.course import chapter_at, key_of
from harmonic_music.endless.places import Purpose, number_of
from harmonic_music.endless.segment import Segment, ThemeHistory

#: The themes that continue from chapter to chapter, and the one that is kept for later.
_LASTING, _KEPT = ("AA", "AB"), "ZA"
#: How often a chapter begins with a new theme, with the kept one, or keeps its own for later
#: instead of that; and how often the last chapter's contrast returns to be developed, in
#: thousandths.
_RENEWED, _KEPT_RETURNS, _KEPT_CHANGES, _RECALLED = 260, 240, 200, 350


def resumed(done: ComposedSegment, place: int, start: int) -> Segment:
    """The segment that continues the phrase from a place after the first of this one."""
    segment, count = done.segment, place - done.segment.first
    played = replace(done.theme, chords=done.theme.chords[:place], melody=done.theme.melody[:place])
    left = done.left_after[count - 1]
    return replace(segment, start=start, first=place, carried=left, played=played)


def following(seed: int, done: ComposedSegment) -> Segment:
    """The segment after one that has ended: the next phrase, from its beginning."""
    segment = done.segment
    after = replace(
        segment,
        start=segment.start + len(done.bars),
        first=0,
        leads=False,
        prepared=segment.leads,
        carried=done.left,
        played=Theme((), ()),
        heard=heard_after(segment.heard, done.phrase, done.forces),
    )
    if segment.leads and segment.onward:
        whole = chapter_at(seed, segment).slots[segment.slot].length
        return moved_to(seed, after, segment.onward, begun=2 * done.end > whole)
    after = _moved_on(seed, _remembering(after, done))
    return _bound(seed, replace(after, key=segment.onward or segment.key))


def moved_to(seed: int, segment: Segment, key: Field, *, begun: bool = False) -> Segment:
    """The segment in a newly requested key; a phrase that has ``begun`` is replaced by the next.

    The blues has chapters of its own.
    """
    if key.scale.is_blues is not segment.key.scale.is_blues:
        segment = _turned(seed, replace(segment, chapter=segment.chapter + 1, slot=0))
    elif begun:
        segment = _moved_on(seed, segment)
    carried = replace(segment.carried, degree=None)
    return _bound(seed, replace(segment, key=key, carried=carried))


def _bound(seed: int, segment: Segment) -> Segment:
    """The segment with the key that its phrase leads to."""
    onward = key_of(seed, *_next(seed, segment), segment.asked)
    return replace(segment, onward=None if onward == segment.key else onward)


def _next(seed: int, segment: Segment) -> tuple[int, int]:
    """The chapter and the slot after a segment's."""
    if segment.slot + 1 < len(chapter_at(seed, segment).slots):
        return segment.chapter, segment.slot + 1
    return segment.chapter + 1, 0


def _moved_on(seed: int, segment: Segment) -> Segment:
    """The segment at the next phrase; a new chapter drops the themes that it replaces."""
    chapter, slot = _next(seed, segment)
    segment = replace(segment, chapter=chapter, slot=slot)
    return segment if slot else _turned(seed, segment)


def _turned(seed: int, segment: Segment) -> Segment:
    """The segment with the themes that a new chapter begins with.

    The first section's themes return and go on changing. Now and then one of them is developed in
    the chapter, and another takes its place: a new one, or the one that was kept for later.
    """
    dice = Dice(seed, Layer.MELODY, number_of(Purpose.CHAPTER, segment.chapter))
    themes, known = segment.carried.themes, segment.known
    kept = {_KEPT: _KEPT if _KEPT in themes else _LASTING[0]}
    kept |= {name: name for name in _LASTING}
    main = dice.weighted(
        ("new", "kept", "other", ""),
        (_RENEWED, _KEPT_RETURNS, _KEPT_CHANGES, WHOLE - _RENEWED - _KEPT_RETURNS - _KEPT_CHANGES),
    )
    recalled = dice.chance(_RECALLED)
    if main == "new":
        kept |= {"CA": kept.pop("AA")}
    elif main == "kept":
        kept |= {"AA": kept[_KEPT], "CA": "AA"}
    elif main == "other":
        kept[_KEPT] = "AA"
    if recalled and main in {"other", ""}:
        kept["BA"] = "CA"
    found = {new: themes[old] for new, old in kept.items() if old in themes}
    return replace(
        segment,
        carried=replace(segment.carried, themes=found),
        known={new: ThemeHistory(known[old].cadence) for new, old in kept.items() if old in themes},
    )


def _remembering(after: Segment, done: ComposedSegment) -> Segment:
    """The segment after a phrase whose theme was heard: new, or as it has changed."""
    phrase, segment = done.phrase, done.segment
    if phrase.role is Role.INTRO:
        return after
    name, themes, known = phrase.theme, segment.carried.themes, dict(segment.known)
    returns = known[name].returns + 1 if name in themes else 0
    cadence = phrase.cadence if name not in themes else known[name].cadence
    carried = replace(after.carried, themes=themes)
    # A theme of an earlier chapter is kept as it was first heard in this one.
    if name not in themes or returns == 1:
        cadence = phrase.cadence
        if name in themes:
            carried = replace(carried, themes={**themes, name: done.theme})
        else:
            carried = carried.remembering(name, done.theme)
    known[name] = ThemeHistory(cadence, returns)
    return replace(after, carried=carried, known={it: known[it] for it in carried.themes})
