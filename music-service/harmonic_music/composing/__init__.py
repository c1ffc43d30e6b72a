"""Composes a piece from a universe's music and physics parameters.

The table shows what each parameter does, and the measure that follows it over its whole range.
Over pieces of many seeds, Spearman's rho with that measure is at least 0.9. With every other
measure, its absolute value is at most 0.3.

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
gravity          changes the tempo: heavier is slower, by 20 %        tempo, falling
                 at each end
friction         roughens: takes consonance away                      consonance, falling
elasticity       makes the rhythm livelier                            onsets, rising
airResistance    narrows the melody                                   span, falling
timeScale        scales how long notes sound, not when they begin;    ringing: how long a note
                 the last chord sounds to the end whatever it is      sounds as a share of the time
                                                                      to the next, rising
================ ==================================================== ==========================

The blues is an exception: its three chords are dominant sevenths at every harmony, beyond the
scale's own tones. Physics is neutral at its defaults; :mod:`.shape` combines it with the music.

A piece is planned (:mod:`.planning`, with :mod:`.keyplan` and :mod:`.staging`). Then it is composed
phrase by phrase (:mod:`.ensemble`), each from the state that the phrase before leaves
(:mod:`.carried`). Every other module is one layer of a phrase. :mod:`.playing` turns the written
notes into played ones. The traits in which pieces differ are drawn in :mod:`.character`, and from
the styles in :mod:`harmonic_music.styles`.
"""

from harmonic_music.composing.piece import COMPOSER_VERSION, CompositionRequest, compose

__all__ = ["COMPOSER_VERSION", "CompositionRequest", "compose"]
