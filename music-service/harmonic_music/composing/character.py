"""The traits in which pieces differ: drawn once for each piece, from the seed alone.

Real pieces differ from one another more than their averages show: one hardly leaps, another repeats
most notes, another says everything twice. Each trait here varies around what is usual in public
tunes (Essen folksong collection, Bach's chorales, fiddle tunes) about as far as theirs do.
"""

from dataclasses import dataclass

from harmonic_music.composing.dice import Dice

#: A trait in percent of what is usual, from rare to strong, and the weight of each value.
_FACTORS = (30, 55, 80, 100, 130, 170, 230)
_FACTOR_WEIGHTS = (2, 4, 5, 6, 5, 4, 2)

_FLOWS = (70, 90, 100, 125, 160, 190)


@dataclass(frozen=True, slots=True)
class Character:
    """A piece's traits; shares are in thousandths, factors in percent of what is usual."""

    #: How much likelier repeated notes, steps, thirds and leaps are than usual.
    repeats: int
    steps: int
    thirds: int
    leaps: int
    #: How far into the piece its highest note comes, in thousandths.
    climax: int
    #: How strongly a melody keeps its direction, and how closely it follows the contour.
    inertia: int
    contour: int
    #: The share of returning bars that return note for note; of new bars, those in a known rhythm.
    literal: int
    economy: int
    #: The share of bars with two chords, between the style's least and most; of chords, those in
    #: first inversion.
    moving: int
    inverted: int
    #: How far the rhythm deviates from the parameters, in thousandths up or down.
    density: int
    #: The notes of a movement's melody at home and elsewhere, in percent of what is asked for.
    flow: int
    other_flow: int
    #: What is added to the melody's span, in semitones, and how much of it lies below the tonic.
    span: int
    below_percent: int
    #: How much likelier dotted, syncopated and triplet figures are than usual.
    dotted: int
    syncopated: int
    triplets: int
    #: How many gestures, in percent of what is usual.
    brilliance: int
    #: How many notes lead over into the next phrase.
    upbeat: int
    #: What is added to the style's energy, in percent, and how far it varies.
    energy: int
    contrast: int
    #: What is added to the percentage of its time for which a melody's note sounds.
    touch: int
    #: How strongly phrases tend to end on their usual last notes, in thousandths.
    finality: int
    #: What is added to the share of strong notes that must be chord tones.
    bound: int


def character_of(dice: Dice) -> Character:
    """A character at random."""

    def factor() -> int:
        return dice.weighted(_FACTORS, _FACTOR_WEIGHTS)

    return Character(
        repeats=min(factor(), 150) * 3 // 4,
        steps=dice.choice((65, 85, 105, 135, 190)),
        thirds=factor(),
        leaps=factor(),
        climax=dice.choice((150, 350, 500, 667, 667, 667)),
        inertia=dice.choice((170, 250, 340, 450)),
        contour=dice.choice((1, 2, 2, 3)),
        literal=dice.choice((200, 450, 700, 850, 950, 1000)),
        economy=dice.between(0, 850),
        moving=dice.between(0, 1000),
        inverted=dice.between(50, 450),
        density=dice.choice((-210, -190, -160, -110, -50, 30, 110, 180)),
        flow=dice.choice(_FLOWS),
        other_flow=dice.choice(_FLOWS),
        span=dice.between(-2, 3),
        below_percent=dice.choice((3, 15, 30, 40, 42)),
        dotted=dice.choice((1, 1, 2, 5, 20, 100, 300)),
        syncopated=dice.choice((1, 3, 10, 40, 100)),
        triplets=dice.choice((0, 0, 0, 0, 0, 0, 20, 300)),
        brilliance=dice.choice((40, 70, 100, 130, 170)),
        upbeat=dice.choice((0, 0, 0, 0, 1, 1, 1, 2)),
        energy=dice.between(-8, 8),
        contrast=dice.between(70, 130),
        touch=dice.between(-9, 2),
        finality=dice.choice((1, 4, 100, 6000, 6000)),
        bound=dice.between(-200, 200),
    )
