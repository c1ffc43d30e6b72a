"""The styles: what makes a waltz a waltz, and how usual each is."""

from dataclasses import dataclass
from types import MappingProxyType

from harmonic_music.theory.meters import FOUR_FOUR, SIX_EIGHT, THREE_FOUR, Meter


@dataclass(frozen=True, slots=True)
class Style:
    """A style.

    Programs are General MIDI's, counted from 0, for the melody, the second voice, the upper voices
    and the bass. Figures and basses are named from calm to full. Shares are in thousandths, factors
    in percent of what is usual. ``swing`` is how far an eighth off the beat is on the way to the
    last third of the beat; ``rubato`` how far time bends in a phrase, in ticks.
    """

    name: str
    usual: int
    meter: Meter
    programs: tuple[int, int, int, int]
    figures: tuple[str, ...]
    basses: tuple[str, ...]
    groove: str | None = None
    swing: int = 0
    rubato: int = 0
    #: Of bars, those with two chords, at least and at most.
    moving: tuple[int, int] = (100, 800)
    dotted: int = 100
    syncopated: int = 100
    triplets: int = 0
    #: Of the melody's rests and long notes, those that a second voice answers.
    answers: int = 500
    elided: int = 220
    #: How loud the style is, in percent added.
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
        ("chorale", "flowing", "alberti", "ripple", "flowing"), ("line", "line", "running", "running"),
        rubato=18, syncopated=30, dotted=120,
    ),
    Style(
        "chorale", 9, FOUR_FOUR, (_CHOIR, _CHOIR, _CHURCH, _CHURCH),
        ("chorale", "flowing", "chorale", "flowing"), ("line", "walking", "running"),
        moving=(600, 950), syncopated=5, dotted=60, answers=200, elided=60, rubato=12,
    ),
    Style(
        "strings", 9, FOUR_FOUR, (_VIOLIN, _VIOLA, _STRINGS, _CELLO),
        ("pad", "flowing", "pulse", "flowing", "ripple"), ("line", "running", "line", "running"),
        rubato=16, answers=750, syncopated=40,
    ),
    Style(
        "ballad", 10, FOUR_FOUR, (_FLUTE, _OBOE, _PIANO, _FRETLESS),
        ("pad", "flowing", "arpeggio", "ripple", "riff"), ("held", "pickup", "line", "riff"),
        groove="brushes", syncopated=140, answers=600,
    ),
    Style(
        "pop", 10, FOUR_FOUR, (_LEAD, _CLEAN, _BRIGHT, _FINGERED),
        ("pad", "riff", "pulse", "riff"), ("pickup", "eighths", "riff", "eighths"),
        groove="backbeat", syncopated=300, answers=500, loudness=6, legato=90,
    ),
    Style(
        "swing", 8, FOUR_FOUR, (_ALTO, _TRUMPET, _PIANO, _BASS),
        ("comping", "comping", "stride"), ("two", "walking", "walking"),
        groove="swing", swing=820, syncopated=260, triplets=60, moving=(300, 900), answers=600,
        legato=70,
    ),
    Style(
        "ragtime", 6, FOUR_FOUR, (_BRIGHT, _BRIGHT, _BRIGHT, _BRIGHT),
        ("stride", "stride", "pulse"), ("two", "walking", "line"),
        syncopated=400, dotted=40, moving=(200, 800), answers=400, legato=60,
    ),
    Style(
        "latin", 6, FOUR_FOUR, (_NYLON, _FLUTE, _NYLON, _BASS),
        ("riff", "offbeat", "comping", "ostinato"), ("tango", "tango", "pickup"),
        groove="latin", syncopated=350, answers=600, legato=80,
    ),
    Style(
        "march", 4, FOUR_FOUR, (_TRUMPET, _CLARINET, _HORN, _TUBA),
        ("stride", "offbeat", "pulse"), ("two", "line", "pickup"),
        groove="march", dotted=350, syncopated=20, loudness=8, legato=70, answers=650,
    ),
    Style(
        "minimal", 6, FOUR_FOUR, (_MARIMBA, _VIBES, _MARIMBA, _CELLO),
        ("ostinato", "flowing", "ripple", "arpeggio", "ripple"), ("pedal", "pickup", "pickup"),
        syncopated=160, moving=(50, 300), answers=500, elided=450,
    ),
    Style(
        "waltz", 10, THREE_FOUR, (_VIOLIN, _CLARINET, _PIANO, _CELLO),
        ("waltz", "waltz", "flowing", "waltz"), ("two", "line", "line"),
        rubato=20, syncopated=40, dotted=110, moving=(30, 350),
    ),
    Style(
        "minuet", 6, THREE_FOUR, (_HARPSICHORD, _OBOE, _HARPSICHORD, _BASSOON),
        ("chorale", "flowing", "waltz", "alberti"), ("line", "line", "running"),
        syncopated=20, dotted=120, triplets=40, moving=(100, 500),
    ),
    Style(
        "barcarolle", 7, SIX_EIGHT, (_CLARINET, _CELLO, _HARP, _CELLO),
        ("arpeggio", "waltz", "ripple", "ripple"), ("two", "line", "line"),
        rubato=22, syncopated=30, moving=(100, 600),
    ),
    Style(
        "jig", 5, SIX_EIGHT, (_FIDDLE, _WHISTLE, _STEEL, _BASS),
        ("waltz", "pulse", "offbeat"), ("two", "line", "pickup"),
        groove="brushes", syncopated=20, moving=(200, 700), answers=300, legato=70,
    ),
    Style(
        "blues", 0, FOUR_FOUR, (_TENOR, _CLEAN, _ORGAN, _FINGERED),
        ("comping", "riff", "stride"), ("walking", "boogie", "walking"),
        groove="shuffle", swing=900, syncopated=300, triplets=120, answers=800, legato=75,
    ),
)  # fmt: skip

#: By name, in the order in which they are drawn.
STYLES = MappingProxyType({style.name: style for style in _ALL})
