"""The long form: chapters of one to three minutes, their phrases, and how each is played.

A chapter is a rondo, as a piece is, and has an arc of intensity (:mod:`.arcs`). The first theme
continues from chapter to chapter and changes on the way. All of this depends on the seed and on a
phrase's place. Changed parameters change how a phrase is played, and never which one it is.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

from harmonic_music.composing.character import Character, character_of
from harmonic_music.composing.dice import Dice, Layer
from harmonic_music.composing.form import Bar as PhraseBar
from harmonic_music.composing.form import Cadence, Field, Phrase, Role, Scene
from harmonic_music.composing.keyplan import KeyPlan
from harmonic_music.composing.planning import Planner, Slot, choruses, slots_of
from harmonic_music.composing.staging import DRUMS_ENERGY, Staging
from harmonic_music.endless.arcs import MOST, Arc, arc_of, bounded, drift_of, energies_of
from harmonic_music.endless.arranging import Forces, arranged
from harmonic_music.endless.demand import Demand
from harmonic_music.endless.places import Purpose, number_of
from harmonic_music.endless.segment import Segment
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.styles.catalogue import STYLES, Style
from harmonic_music.theory.meters import UNITS_PER_BEAT

#: The bars of a chorus of the blues, and the fewest choruses of a chapter.
_CHORUS_BARS, _FEWEST_CHORUSES = 12, 3
#: How often a theme returns within a section, roughly.
_PHRASES_A_SECTION = 3
#: How often a section returns in another key, in thousandths.
_RETURNED_ELSEWHERE = 360
#: From this gravity on, drums enter earlier; up to this one, they do not play.
_HEAVY, _LIGHT = 350, -700
_HEAVY_ENERGY = 30


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter's phrases with the energy of each, in percent, its arc and its character."""

    slots: tuple[Slot, ...]
    energies: tuple[int, ...]
    arc: Arc
    character: Character


@lru_cache(maxsize=512)
def chapter_of(seed: int, number: int, *, blues: bool) -> Chapter:
    """A chapter of the stream of a seed."""
    place = number_of(Purpose.CHAPTER, number)
    plan, arc = Dice(seed, Layer.FORM, place), arc_of(seed, number)
    bars = plan.choice(arc.bars)
    if blues:
        slots = choruses(max(bars // _CHORUS_BARS, _FEWEST_CHORUSES) * _CHORUS_BARS, plan)
    else:
        slots = slots_of(bars, plan)
        left_out = {Role.INTRO} if arc.sudden else set()
        left_out |= {Role.CODA} if arc.broken else set()
        slots = [slot for slot in slots if slot.role not in left_out]
    character = character_of(Dice(seed, Layer.CHARACTER, place))
    lift = drift_of(seed, number) + character.energy // 2
    return Chapter(tuple(slots), energies_of(arc, slots, lift, plan), arc, character)


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
    dice = Dice(seed, Layer.FORM, number_of(Purpose.KEY, chapter, _key_begins(slot, it)))
    if it.role is Role.RETURN:
        if not dice.chance(_RETURNED_ELSEWHERE):
            return home
    elif it.role not in {Role.CONTRAST, Role.DEVELOPMENT}:
        return home
    return KeyPlan(home, asked.chromatic, dice).elsewhere(home)


def _key_begins(slot: int, it: Slot) -> int:
    """The slot with which the key of a slot's phrase begins: a development has several keys."""
    return slot - (it.within % 2 if it.role is Role.DEVELOPMENT else it.within)


def phrase_of(seed: int, segment: Segment) -> tuple[Phrase, tuple[Forces, ...]]:
    """A segment's phrase, without the bars that were played, and the forces of all its bars."""
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
    lift = asked.lift + style.loudness
    staging.lay(chapter.slots, [bounded(it + lift) for it in chapter.energies])
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
    phrase = replace(phrase, pivots=phrase.leads_to is not None)
    phrase = _weighed(phrase, segment, style, chapter.arc)
    phrase, forces = arranged(seed, segment, chapter.slots, chapter.arc, phrase)
    if segment.slot == len(chapter.slots) - 1 and chapter.arc.broken:
        phrase = replace(phrase, breaks=True, elided=False)
    return _cut(phrase, segment.first) if segment.leads else _resumed(phrase, segment), forces


def _weighed(phrase: Phrase, segment: Segment, style: Style, arc: Arc) -> Phrase:
    """Have drums enter earlier at high gravity, and rest at very low gravity."""
    weight = segment.asked.weight
    if weight <= _LIGHT:
        return replace(phrase, drums=False)
    least = _HEAVY_ENERGY if weight >= _HEAVY else DRUMS_ENERGY if arc.sudden else MOST
    if style.groove is not None and phrase.energy >= least:
        return replace(phrase, drums=True)
    return phrase


def _cut(phrase: Phrase, place: int) -> Phrase:
    """The phrase cut off after one bar at a place, which leads to another key."""
    here = phrase.bars[place]
    bar = PhraseBar(here.onset, here.length, place)
    # Full chords, so that the dominant is clear enough to lead.
    stage = replace(phrase.stages[place], scene=Scene.CHORDS, figure="pad", thin=False)
    return replace(
        phrase,
        bars=(bar,),
        whole=place + 1,
        stages=(*phrase.stages[:place], stage),
        cadence=Cadence.HALF,
        pivots=True,
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
