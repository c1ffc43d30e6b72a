"""The long form: chapters of some minutes, the phrases of each, and how each is played.

A chapter is a rondo with an introduction and a coda, as a piece is. The first theme continues from
chapter to chapter and changes on the way. All of this depends on the seed and on a phrase's place.
Changed parameters change how a phrase is played, and never which one it is.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache

from harmonic_music.composing.character import Character, character_of
from harmonic_music.composing.dice import Dice, Layer
from harmonic_music.composing.form import Bar as PhraseBar
from harmonic_music.composing.form import Cadence, Field, Phrase, Role, Scene
from harmonic_music.composing.keyplan import KeyPlan
from harmonic_music.composing.planning import Planner, Slot, choruses, slots_of
from harmonic_music.composing.staging import Staging
from harmonic_music.endless.demand import Demand
from harmonic_music.endless.segment import Segment
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.styles.catalogue import STYLES
from harmonic_music.theory.meters import UNITS_PER_BEAT

#: The bars of a chapter: enough for its introduction to have a whole phrase.
_CHAPTER_BARS = (72, 80, 88, 96, 104, 112)
_CHORUSES, _CHORUS_BARS = (5, 6, 7, 8), 12
#: What successive chapters add to the energy, in percent: an arc over some of them.
_ARC = (-4, 0, 5, 9, 2, -7)
#: How far a chapter deviates from that.
_STRAY = 5
#: How often a theme returns within a section, roughly.
_PHRASES_A_SECTION = 3
#: From this gravity on, drums enter earlier; up to this one, they do not play.
_HEAVY, _LIGHT = 350, -700
_HEAVY_ENERGY = 30


class Purpose(IntEnum):
    """What a random choice outside of bars is for: each purpose has numbers of its own."""

    CHAPTER = 1
    PLAN = 2
    STAGE = 3
    SECTION = 4
    KEY = 5
    ARRANGING = 6


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter's phrases, its character, and what it adds to the energy, in percent."""

    slots: tuple[Slot, ...]
    character: Character
    lift: int


def number_of(place: Purpose, chapter: int, slot: int = 0) -> int:
    """The number for a random choice: larger than every number of a bar."""
    return place << 64 | chapter << 8 | slot


@lru_cache(maxsize=512)
def chapter_of(seed: int, number: int, *, blues: bool) -> Chapter:
    """A chapter of the stream of a seed."""
    place = number_of(Purpose.CHAPTER, number)
    plan = Dice(seed, Layer.FORM, place)
    if blues:
        slots = choruses(plan.choice(_CHORUSES) * _CHORUS_BARS, plan)
    else:
        slots = slots_of(plan.choice(_CHAPTER_BARS), plan)
    lift = _ARC[number % len(_ARC)] + plan.around(_STRAY)
    return Chapter(tuple(slots), character_of(Dice(seed, Layer.CHARACTER, place)), lift)


def chapter_at(seed: int, segment: Segment) -> Chapter:
    """The chapter that a segment is part of."""
    return chapter_of(seed, segment.chapter, blues=segment.key.scale.is_blues)


def key_of(seed: int, chapter: int, slot: int, asked: Demand) -> Field:
    """The key of a phrase: home, or a related one for a contrast."""
    home = asked.home
    slots = chapter_of(seed, chapter, blues=home.scale.is_blues).slots
    if slot >= len(slots) or home.scale.is_blues:
        return home
    it = slots[slot]
    if it.role not in {Role.CONTRAST, Role.DEVELOPMENT}:
        return home
    begun = slot - (it.within if it.role is Role.CONTRAST else it.within % 2)
    dice = Dice(seed, Layer.FORM, number_of(Purpose.KEY, chapter, begun))
    return KeyPlan(home, asked.chromatic, dice).elsewhere(home)


def phrase_of(seed: int, segment: Segment) -> Phrase:
    """The phrase of a segment, from the bars that are still to be composed."""
    chapter, style, asked = chapter_at(seed, segment), STYLES[segment.style], segment.asked
    slot = chapter.slots[segment.slot]
    bar = style.meter.bar * TICKS_PER_BEAT // UNITS_PER_BEAT
    plan = Dice(seed, Layer.FORM, number_of(Purpose.PLAN, segment.chapter, segment.slot))
    planner = Planner(bar, chapter.character, plan, movement=True)
    for name, theme in segment.carried.themes.items():
        known = segment.known[name]
        planner.known[name] = known.cadence, len(theme.melody)
        # What counts is that the theme is known again, not how often it returned in one section.
        planner.returns[name] = known.returns // _PHRASES_A_SECTION
    cadence = planner.cadence(slot, closing=False, leads=segment.onward is not None)
    begins = int(segment.start > 0)
    bars = planner.bars(slot, begins, slot.length, cadence)
    staging = Staging(
        style,
        chapter.character,
        Dice(seed, Layer.FORM, number_of(Purpose.STAGE, segment.chapter, segment.slot)),
    )
    staging.stage(chapter.slots, chapter.lift + asked.lift)
    opening = segment.slot - slot.within
    staging.settle(
        opening,
        chapter.slots[opening],
        Dice(seed, Layer.FORM, number_of(Purpose.SECTION, segment.chapter, opening)),
    )
    keys = segment.key, segment.onward
    phrase = staging.phrase(
        segment.slot, slot, bars, cadence, keys=keys, count=len(chapter.slots) + 1
    )
    phrase = _weighed(phrase, segment, drummed=style.groove is not None)
    return _cut(phrase, segment.first) if segment.leads else _resumed(phrase, segment)


def _weighed(phrase: Phrase, segment: Segment, *, drummed: bool) -> Phrase:
    """Have drums enter earlier at high gravity, and rest at very low gravity."""
    weight = segment.asked.weight
    if weight <= _LIGHT:
        return replace(phrase, drums=False)
    if drummed and weight >= _HEAVY and phrase.energy >= _HEAVY_ENERGY:
        return replace(phrase, drums=True)
    return phrase


def _cut(phrase: Phrase, place: int) -> Phrase:
    """The phrase cut off after one bar at a place, which leads to another key."""
    here = phrase.bars[place]
    bar = PhraseBar(here.onset, here.length, place)
    # All play it, so that the dominant is clear enough to lead.
    stage = replace(phrase.stages[place], scene=Scene.TUNE, thin=False)
    return replace(
        phrase,
        bars=(bar,),
        whole=place + 1,
        stages=(*phrase.stages[:place], stage),
        cadence=Cadence.HALF,
        breaks=False,
        elided=False,
        climbs=False,
        sinks=False,
    )


def _resumed(phrase: Phrase, segment: Segment) -> Phrase:
    """The phrase without the bars already played; bars derived from those use its theme instead."""
    first = segment.first
    if not first:
        return phrase
    known = segment.carried.themes.get(phrase.theme)
    offset = len(known.melody) if known else 0
    bars = tuple(
        bar
        if not bar.own or bar.source is None
        else replace(bar, source=offset + bar.source, own=False)
        if bar.source < first
        else replace(bar, source=bar.source - first)
        for bar in phrase.bars[first:]
    )
    return replace(phrase, bars=bars)
