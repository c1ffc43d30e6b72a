"""Composes a piece from a universe's music and physics parameters.

What each parameter does, and the measure that follows it over its whole range:

================ ==================================================== ==========================
Parameter        What it does                                         Measure
================ ==================================================== ==========================
harmony          purer chords, plainer progressions, more chord       share of consonant vertical
                 tones in the melody                                  intervals, rising
tempo            sets the beats a minute                              ``Score.tempo``, rising
key, scale       set the tones that occur                             pitch classes
rhythmComplexity shorter and more figures, off the pulse; busier      onsets a beat, rising
                 accompaniment
melodyRange      gives the melody more room                           semitones from its lowest
                                                                      note to its highest, rising
gravity          pulls at the tempo: heavier is slower, by 20 %       ``Score.tempo``, falling
                 at each end
friction         roughens: takes consonance away                      as harmony, falling
elasticity       makes the rhythm livelier                            as rhythmComplexity, rising
airResistance    narrows the melody                                   as melodyRange, falling
timeScale        scales how long notes sound, not when they begin     mean length in beats, rising
================ ==================================================== ==========================

Physics is neutral at its defaults. How the two meet stands in :mod:`.shape`; every other module is
one layer of the piece and can be replaced without the others.
"""

from harmonic_music.composing.piece import COMPOSER_VERSION, CompositionRequest, compose

__all__ = ["COMPOSER_VERSION", "CompositionRequest", "compose"]
