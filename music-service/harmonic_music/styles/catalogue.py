"""The styles: the traits of each, and how usual each is."""

from dataclasses import dataclass
from types import MappingProxyType

from harmonic_music.theory.meters import FOUR_FOUR, SIX_EIGHT, THREE_FOUR, Meter


@dataclass(frozen=True, slots=True)
class Style:
    """A style.

    Programs are General MIDI's, counted from 0, for the melody, the second voice, the upper voices
    and the bass. Manners, from calm to full, name the figure of the upper voices and the bass that
    goes with it: if one runs, the other is slow. Shares are in thousandths, factors in percent of
    what is usual. ``swing`` is how far an eighth off the beat is on the way to the last third of
    the beat; ``rubato`` how far time bends in a phrase, in ticks.
    """

    name: str
    usual: int
    meter: Meter
    programs: tuple[int, int, int, int]
    manners: tuple[tuple[str, str], ...]
    groove: str | None = None
    swing: int = 0
    rubato: int = 0
    #: The share of bars with two chords, at least and at most.
    moving: tuple[int, int] = (100, 800)
    dotted: int = 100
    syncopated: int = 100
    triplets: int = 0
    #: How many gestures it has, and the shares of runs, broken chords, turns and repeated tones.
    gestures: int = 100
    kinds: tuple[int, int, int, int] = (4, 3, 3, 2)
    #: How usual each scene is (:class:`harmonic_music.composing.form.Scene`), in tenths.
    scenes: tuple[int, ...] = (10, 10, 10, 10, 10, 10, 10, 10, 0)
    #: The share of the melody's rests and long notes that a second voice answers.
    answers: int = 700
    elided: int = 160
    #: Percent added to velocities.
    loudness: int = 0
    #: How long the upper voices sound, in percent of their time.
    legato: int = 96


_PIANO, _BRIGHT, _RHODES, _HARPSICHORD = 0, 1, 4, 6
_VIBES, _ORGAN, _CHURCH, _ACCORDION = 11, 16, 19, 21
_NYLON, _STEEL, _CLEAN = 24, 25, 27
_BASS, _FINGERED, _FRETLESS = 32, 33, 35
_VIOLIN, _VIOLA, _CELLO, _TREMOLO, _PIZZICATO, _HARP = 40, 41, 42, 44, 45, 46
_STRINGS, _CHOIR = 48, 52
_TRUMPET, _TROMBONE, _TUBA, _HORN, _BRASS = 56, 57, 58, 60, 61
_ALTO, _TENOR, _OBOE, _BASSOON, _CLARINET, _FLUTE = 65, 66, 68, 70, 71, 73
_WARM, _LEAD, _MARIMBA, _WHISTLE, _FIDDLE = 89, 81, 12, 78, 110

_ALL = (
    Style(
        "classical", 14, FOUR_FOUR, (_PIANO, _PIANO, _PIANO, _PIANO),
        (("chorale", "line"), ("alberti", "two"), ("flowing", "line"),
         ("pad", "running"), ("ripple", "two")),
        rubato=18, syncopated=30, dotted=120,
        gestures=140, kinds=(5, 4, 4, 2),
    ),
    Style(
        "chorale", 9, FOUR_FOUR, (_CHOIR, _CHOIR, _CHURCH, _CHURCH),
        (("chorale", "line"), ("chorale", "walking"), ("flowing", "line"), ("chorale", "running")),
        moving=(600, 950), syncopated=5, dotted=60, answers=450, elided=60, rubato=12,
        gestures=15, kinds=(1, 0, 3, 0),
        scenes=(20, 2, 4, 4, 2, 20, 2, 2, 0),
    ),
    Style(
        "strings", 9, FOUR_FOUR, (_VIOLIN, _VIOLA, _STRINGS, _CELLO),
        (("pad", "line"), ("flowing", "two"), ("pulse", "line"),
         ("pad", "running"), ("ripple", "line")),
        rubato=16, answers=750, syncopated=40,
        gestures=110, kinds=(4, 4, 3, 3),
        scenes=(9, 8, 12, 11, 13, 11, 14, 12, 0),
    ),
    Style(
        "ballad", 10, FOUR_FOUR, (_FLUTE, _OBOE, _PIANO, _FRETLESS),
        (("pad", "pickup"), ("arpeggio", "held"), ("flowing", "two"),
         ("ripple", "two"), ("riff", "riff")),
        groove="brushes", syncopated=140, answers=600,
        gestures=70, kinds=(4, 3, 4, 0),
    ),
    Style(
        "pop", 10, FOUR_FOUR, (_LEAD, _CLEAN, _BRIGHT, _FINGERED),
        (("pad", "pickup"), ("riff", "eighths"), ("pulse", "riff"), ("ripple", "eighths")),
        groove="backbeat", syncopated=300, answers=500, loudness=6, legato=90,
        gestures=60, kinds=(2, 2, 3, 5),
        scenes=(14, 8, 8, 10, 12, 5, 6, 8, 0),
    ),
    Style(
        "swing", 8, FOUR_FOUR, (_ALTO, _TRUMPET, _PIANO, _BASS),
        (("comping", "two"), ("comping", "walking"), ("stride", "walking")),
        groove="swing", swing=820, syncopated=260, triplets=60, moving=(300, 900), answers=600,
        legato=70,
        gestures=100, kinds=(3, 4, 4, 1),
        scenes=(14, 8, 8, 8, 10, 5, 8, 8, 0),
    ),
    Style(
        "ragtime", 6, FOUR_FOUR, (_BRIGHT, _BRIGHT, _BRIGHT, _BRIGHT),
        (("stride", "two"), ("stride", "walking"), ("pulse", "line")),
        syncopated=400, dotted=40, moving=(200, 800), answers=550, legato=60,
        gestures=120, kinds=(2, 5, 4, 3),
    ),
    Style(
        "latin", 6, FOUR_FOUR, (_NYLON, _FLUTE, _NYLON, _BASS),
        (("riff", "tango"), ("offbeat", "tango"), ("comping", "pickup"), ("ostinato", "tango")),
        groove="latin", syncopated=350, answers=600, legato=80,
        gestures=90, kinds=(3, 3, 3, 3),
        scenes=(14, 8, 8, 10, 12, 5, 6, 8, 0),
    ),
    Style(
        "march", 4, FOUR_FOUR, (_TRUMPET, _CLARINET, _HORN, _TUBA),
        (("stride", "two"), ("offbeat", "line"), ("pulse", "pickup")),
        groove="march", dotted=350, syncopated=20, loudness=8, legato=70, answers=650,
        gestures=90, kinds=(2, 5, 2, 5),
        scenes=(10, 4, 6, 12, 12, 12, 12, 8, 0),
    ),
    Style(
        "minimal", 6, FOUR_FOUR, (_MARIMBA, _VIBES, _MARIMBA, _CELLO),
        (("ostinato", "pedal"), ("flowing", "held"), ("ripple", "pickup"), ("arpeggio", "eighths")),
        syncopated=160, moving=(50, 300), answers=500, elided=450,
        gestures=110, kinds=(2, 6, 3, 3),
        scenes=(14, 8, 8, 10, 10, 4, 4, 10, 0),
    ),
    Style(
        "waltz", 10, THREE_FOUR, (_VIOLIN, _CLARINET, _PIANO, _CELLO),
        (("waltz", "two"), ("waltz", "line"), ("flowing", "line"),
         ("arpeggio", "two"), ("waltz", "line")),
        rubato=20, syncopated=40, dotted=110, moving=(30, 350),
        gestures=120, kinds=(5, 5, 3, 1),
    ),
    Style(
        "minuet", 6, THREE_FOUR, (_HARPSICHORD, _OBOE, _HARPSICHORD, _BASSOON),
        (("chorale", "line"), ("flowing", "two"), ("waltz", "line"),
         ("alberti", "line"), ("pad", "running")),
        syncopated=20, dotted=120, triplets=40, moving=(100, 500),
        gestures=120, kinds=(5, 3, 5, 1),
    ),
    Style(
        "barcarolle", 7, SIX_EIGHT, (_CLARINET, _CELLO, _HARP, _CELLO),
        (("arpeggio", "two"), ("waltz", "line"), ("ripple", "two"), ("flowing", "line")),
        rubato=22, syncopated=30, moving=(100, 600),
        gestures=130, kinds=(5, 5, 3, 0),
    ),
    Style(
        "jig", 5, SIX_EIGHT, (_FIDDLE, _WHISTLE, _STEEL, _BASS),
        (("waltz", "two"), ("pulse", "line"), ("offbeat", "two")),
        groove="brushes", syncopated=20, moving=(200, 700), answers=500, legato=70,
        gestures=130, kinds=(4, 4, 5, 2),
    ),
    Style(
        "blues", 0, FOUR_FOUR, (_TENOR, _CLEAN, _ORGAN, _FINGERED),
        (("comping", "walking"), ("riff", "boogie"), ("stride", "walking")),
        groove="shuffle", swing=900, syncopated=300, triplets=120, answers=800, legato=75,
        gestures=100, kinds=(4, 3, 4, 2),
    ),
)  # fmt: skip

#: By name, in the order in which they are drawn.
STYLES = MappingProxyType({style.name: style for style in _ALL})


def known_style(name: str | None) -> str | None:
    """The name of a style; ``None`` for one that only a newer version has."""
    return name if name in STYLES else None
