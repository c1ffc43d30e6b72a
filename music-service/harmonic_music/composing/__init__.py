"""Composes a piece from a universe's music and physics parameters.

What each parameter does, and the measure that follows it over its whole range. Spearman's rho over
pieces of many seeds is at least 0.9 with that measure, and at most 0.3 in size with every other.

================ ==================================================== ==========================
Parameter        What it does                                         Measure
================ ==================================================== ==========================
harmony          purer chords, plainer progressions, more chord       consonance: share of
                 tones in the melody; with 1, none but the scale's    consonant pairs among the
                 own tones, with less, borrowed chords, other keys    tones of a beat below the
                 and semitones on the way between tones               melody, rising; foreign
                                                                      tones, falling
tempo            sets the quarter notes a minute                      tempo, rising
key, scale       set the tones that occur                             pitch classes
rhythmComplexity shorter and more figures, and more notes that come   onsets: the melody's notes
                 before the beat or are held over it                  a beat; syncopation; rising
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

The blues is an exception to the scale's own tones: its three chords are dominant sevenths at every
harmony. Physics is neutral at its defaults; how the two meet stands in :mod:`.shape`.

A piece is planned (:mod:`.planning`, with :mod:`.keyplan` and :mod:`.staging`), then composed
phrase by phrase (:mod:`.ensemble`) from what the phrase before leaves (:mod:`.carried`); every
other module is one layer of a phrase. What is written is played by :mod:`.playing`. What one piece
is like and another is not is drawn in :mod:`.character`, and from the styles in
:mod:`harmonic_music.styles`.
"""

from harmonic_music.composing.piece import COMPOSER_VERSION, CompositionRequest, compose

__all__ = ["COMPOSER_VERSION", "CompositionRequest", "compose"]
