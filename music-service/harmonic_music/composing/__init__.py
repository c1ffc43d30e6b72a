"""Composes a piece from a universe's music and physics parameters.

What each parameter does, and the measure that follows it over its whole range. Spearman's rho over
pieces of many seeds is at least 0.9 with that measure, and at most 0.3 in size with every other.

================ ==================================================== ==========================
Parameter        What it does                                         Measure
================ ==================================================== ==========================
harmony          purer chords, plainer progressions, more chord       consonance: share of
                 tones in the melody; with 1, none but the scale's    consonant pairs among the
                 own tones, with less, dominants borrow a third       tones of a half bar below
                                                                      the melody, rising
tempo            sets the beats a minute                              tempo, rising
key, scale       set the tones that occur                             pitch classes
rhythmComplexity shorter and more figures, off the beat; busier       onsets: the melody's notes
                 accompaniment                                        a beat, rising
melodyRange      gives the melody more room                           span: semitones from its
                                                                      lowest note to its highest,
                                                                      rising
gravity          pulls at the tempo: heavier is slower, by 20 %       tempo, falling
                 at each end
friction         roughens: takes consonance away                      consonance, falling
elasticity       makes the rhythm livelier                            onsets, rising
airResistance    narrows the melody                                   span, falling
timeScale        scales how long notes sound, not when they begin;    ringing: how long a note
                 the last chord sounds to the end whatever it is      sounds as a share of the time
                                                                      to the next, rising
================ ==================================================== ==========================

Physics is neutral at its defaults. How the two meet stands in :mod:`.shape`; every other module is
one layer of the piece and can be replaced without the others. What one piece is like and another is
not, whatever the parameters, is drawn in :mod:`.character`.
"""

from harmonic_music.composing.piece import COMPOSER_VERSION, CompositionRequest, compose

__all__ = ["COMPOSER_VERSION", "CompositionRequest", "compose"]
