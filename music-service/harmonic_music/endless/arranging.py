"""Who plays in each bar of a phrase: layers enter, rest and leave, alone and together.

The longer a layer has played, the sooner it rests. How many play follows from the energy and from
the chapter's arc. Where the upper voices rest, a second voice accompanies the tune, and where the
tune rests, the others continue, so that no layer is left bare for long.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import assert_never

from harmonic_music.composing.dice import Dice, Layer
from harmonic_music.composing.form import BarStage, Phrase, Role, Scene
from harmonic_music.composing.planning import Slot
from harmonic_music.endless.arcs import LEAST, MOST, Arc
from harmonic_music.endless.places import Purpose, number_of
from harmonic_music.endless.segment import Heard, Segment


class Forces(Enum):
    """Who plays."""

    ALL = 0
    #: All but the drums.
    CALM = 1
    #: Neither bass nor drums.
    FLOATING = 2
    #: The tune rests.
    PLAYED = 3
    #: The upper voices rest.
    TRIO = 4
    #: The tune alone.
    SOLO = 5
    #: Held chords alone.
    HUSHED = 6
    #: All, with the tune in octaves or in chords.
    TUTTI = 7

    @property
    def drummed(self) -> bool:
        """Whether drums may play."""
        return self in {Forces.ALL, Forces.PLAYED, Forces.TRIO, Forces.TUTTI}

    @property
    def has_bass(self) -> bool:
        """Whether the bass may play."""
        return self not in {Forces.FLOATING, Forces.SOLO, Forces.HUSHED}

    @property
    def rests(self) -> tuple[bool, bool, bool, bool]:
        """Whether melody, upper voices, bass and drums rest."""
        return (
            self in {Forces.PLAYED, Forces.HUSHED},
            self in {Forces.TRIO, Forces.SOLO},
            not self.has_bass,
            not self.drummed,
        )


#: The energies at which the bands below begin: low, middle, full and peak; beneath is a hush.
_BANDS = (30, 46, 60, 74)
#: The weight of the forces in each band, in the order of their declaration.
_USUAL = (
    (14, 10, 26, 10, 12, 14, 14, 0),
    (34, 14, 20, 8, 12, 6, 4, 0),
    (46, 10, 12, 8, 12, 3, 1, 3),
    (58, 4, 5, 8, 8, 1, 0, 12),
    (54, 1, 2, 4, 4, 0, 0, 28),
)
_SPARSE = frozenset({Forces.FLOATING, Forces.TRIO, Forces.SOLO, Forces.HUSHED, Forces.PLAYED})
#: The bars that the forces take, of a phrase of four: the first bars, the last, or all of them.
_EXTENTS = {
    Forces.CALM: ((0, 4, 6), (0, 2, 3)),
    Forces.FLOATING: ((0, 4, 6), (0, 2, 4), (2, 4, 2)),
    Forces.PLAYED: ((0, 2, 5), (0, 1, 2), (0, 4, 3), (2, 4, 2)),
    Forces.TRIO: ((0, 2, 4), (2, 4, 3), (0, 4, 3)),
    Forces.SOLO: ((0, 1, 3), (0, 2, 4), (0, 4, 3)),
    Forces.HUSHED: ((0, 2, 3), (0, 4, 2), (2, 4, 3)),
    Forces.TUTTI: ((0, 4, 4), (2, 4, 3), (0, 2, 2)),
}
#: The same where a theme has not been heard yet: the tune enters late.
_BEFORE_A_THEME = ((0, 1, 3), (0, 2, 2))
#: Who plays in the first phrases where layers enter one by one, and backwards where they leave.
_LAYERS = (
    (Forces.SOLO, Forces.HUSHED, Forces.FLOATING),
    (Forces.FLOATING, Forces.FLOATING, Forces.TRIO),
    (Forces.CALM, Forces.CALM, Forces.TRIO),
)
#: By the bars for which a layer has played: how much likelier it is to rest, in percent.
_TIRED = ((1, 15), (8, 40), (14, 100), (20, 260), (1 << 30, 700))
#: The bars of play from which on a layer rests if any forces let it, and the bars of rest after
#: which melody, upper voices and bass play again.
_MOST_BARS, _MOST_RESTED = 22, (6, 4, 8)
_BASS = 2
#: From this gravity on, the bass does not rest; up to that one, it rests more.
_HEAVY, _LIGHT, _FLOATING_PERCENT = 350, -350, 900
#: What forces add to the energy of a phrase that is theirs, in percent.
_LOUDNESS = {Forces.TUTTI: 6, Forces.SOLO: -5, Forces.HUSHED: -10}
_FOUR_BARS = 4
#: The scenes of all together.
_TUTTI = (Scene.OCTAVES, Scene.OCTAVES, Scene.CHORDS, Scene.UNISON)


def arranged(
    seed: int, segment: Segment, slots: Sequence[Slot], arc: Arc, phrase: Phrase
) -> tuple[Phrase, tuple[Forces, ...]]:
    """The phrase as its forces play it, and the forces of each of its bars."""
    dice = Dice(seed, Layer.DRUMS, number_of(Purpose.ARRANGING, segment.chapter, segment.slot))
    forces = _forces(segment, slots, arc, phrase, dice)
    tutti = dice.choice(_TUTTI)
    stages = tuple(_staged(*it, tutti) for it in zip(phrase.stages, forces, strict=True))
    if segment.heard[1] <= -_MOST_RESTED[1] and not any(it.scene.has_pads for it in stages[:2]):
        stages = tuple(it if it.scene.has_pads else replace(it, scene=Scene.TUNE) for it in stages)
    energy = min(max(phrase.energy + _loudness(forces), LEAST), MOST)
    return replace(phrase, stages=stages, energy=energy), forces


def _forces(
    segment: Segment, slots: Sequence[Slot], arc: Arc, phrase: Phrase, dice: Dice
) -> tuple[Forces, ...]:
    """Who plays in each bar; the tune of a theme that is not yet known plays."""
    slot, left = slots[segment.slot], len(slots) - 1 - segment.slot
    length = slot.length
    if segment.leads or slot.role is Role.INTRO:
        return (Forces.ALL,) * length
    known = phrase.theme in segment.carried.themes
    if arc.layered and slot.role is Role.THEME and slot.within < len(_LAYERS):
        return (_few(dice, segment.asked.weight, slot.within, known=known),) * length
    if arc.fading and left < len(_LAYERS):
        return (_few(dice, segment.asked.weight, left, known=known),) * length
    forces = dice.weighted(tuple(Forces), _weights(segment, arc, phrase.energy, known=known))
    if forces is Forces.ALL:
        return (forces,) * length
    extents = _EXTENTS[forces] if known or forces is not Forces.PLAYED else _BEFORE_A_THEME
    begins, ends, _ = dice.weighted(extents, [weight for _, _, weight in extents])
    inside = range(min(begins, length - 1), length if ends == _FOUR_BARS else ends)
    return tuple(forces if place in inside else Forces.ALL for place in range(length))


def _few(dice: Dice, weight: int, place: int, *, known: bool) -> Forces:
    """Who plays while layers enter or leave one by one, ``place`` phrases from the fewest."""
    options = [it for it in _LAYERS[place] if known or not it.rests[0]]
    if weight >= _HEAVY:
        options = [it for it in options if it.has_bass]
    return dice.choice(options or [Forces.CALM])


def _weights(segment: Segment, arc: Arc, energy: int, *, known: bool) -> list[int]:
    """The weight of each of the forces."""
    row = _USUAL[sum(energy >= least for least in _BANDS)]
    found = []
    for forces, usual in zip(Forces, row, strict=True):
        weight = 100 * usual
        if forces in _SPARSE:
            weight = weight * arc.sparse // 100
        if not forces.has_bass:
            if segment.asked.weight >= _HEAVY:
                weight = 0
            elif segment.asked.weight <= _LIGHT:
                weight = weight * _FLOATING_PERCENT // 100
        if forces.rests[0] and not known:
            # A new theme is heard from its beginning, unless the tune has gone on for long.
            long = segment.heard[0] >= _MOST_BARS and forces is Forces.PLAYED
            weight = weight if long else 0
        for layer, most in enumerate(_MOST_RESTED):
            bars = segment.heard[layer]
            floats = layer == _BASS and segment.asked.weight <= _LIGHT
            if forces.rests[layer] and not floats:
                tired = next(percent for under, percent in _TIRED if bars < under)
                weight = 0 if bars <= -most else weight * tired // 100
        found.append(weight)
    return _forced(found, segment.heard)


def _forced(weights: list[int], heard: Heard) -> list[int]:
    """The weights of those forces alone that let layers rest which have played for too long."""
    over = [max(bars - _MOST_BARS + 1, 0) for bars in heard[: len(_MOST_RESTED)]]
    left = [
        weight * sum(bars for bars, rests in zip(over, it.rests, strict=False) if rests) ** 2
        for it, weight in zip(Forces, weights, strict=True)
    ]
    return left if any(left) else weights


def _staged(stage: BarStage, forces: Forces, tutti: Scene) -> BarStage:
    """A bar's stage, played by these forces."""
    scene, figure, thin = stage.scene, stage.figure, stage.thin
    match forces:
        case Forces.PLAYED:
            scene = Scene.PLAYED
        case Forces.HUSHED:
            scene, figure, thin = Scene.PLAYED, "pad", False
        case Forces.TRIO:
            scene = Scene.DUO
        case Forces.SOLO:
            scene = Scene.SOLO
        case Forces.TUTTI:
            scene, thin = tutti, False
        case Forces.FLOATING:
            # Without the bass, nothing but the upper voices is below the tune.
            scene = scene if scene.has_pads else Scene.TUNE
        case Forces.ALL | Forces.CALM:
            pass
        case _:
            assert_never(forces)
    return replace(stage, scene=scene, figure=figure, thin=thin)


def _loudness(forces: Sequence[Forces]) -> int:
    """What forces that take at least half of a phrase add to its energy, in percent."""
    return max(
        (
            added
            for it, added in _LOUDNESS.items()
            if 2 * sum(one is it for one in forces) >= len(forces)
        ),
        key=abs,
        default=0,
    )


def heard_after(heard: Heard, phrase: Phrase, forces: Sequence[Forces]) -> Heard:
    """For how many bars each layer has played, or rested, at a phrase's end."""
    found = list(heard)
    for stage, it in zip(phrase.stages, forces, strict=False):
        rests = (
            not stage.scene.has_melody,
            # In a unison, the upper voices double the tune.
            not stage.scene.has_pads and stage.scene is not Scene.UNISON,
            not (it.has_bass and stage.scene.has_bass),
            not (it.drummed and phrase.drums),
        )
        found = [
            min(bars, 0) - 1 if rest else max(bars, 0) + 1
            for bars, rest in zip(found, rests, strict=True)
        ]
    return found[0], found[1], found[2], found[3]
