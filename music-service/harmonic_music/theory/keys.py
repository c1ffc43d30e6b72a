"""Keys: as pitch classes, as places on the circle of fifths, and the spelling of their scales."""

from types import MappingProxyType

from harmonic_music.theory.intervals import OCTAVE
from harmonic_music.theory.scales import SCALES

_LETTERS = "CDEFGAB"
_SEMITONES = MappingProxyType({"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11})
_FIFTHS = MappingProxyType({"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5})
#: A sharp is this many fifths above its letter, and a flat this many below.
_FIFTHS_A_SEMITONE = 7

#: The major keys that have a signature, from seven flats to seven sharps, and the minor ones.
_MAJOR_KEYS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MINOR_KEYS = ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")
_MOST_FLATS = -7
_MINOR_SIGNATURE = -3


def _alteration(key: str) -> int:
    return key.count("#") - key.count("b")


def pitch_class(key: str) -> int:
    """The tonic's pitch class: 0 for C, 11 for B, and also for Cb."""
    return (_SEMITONES[key[0]] + _alteration(key)) % OCTAVE


def fifths_above_c(key: str) -> int:
    """The sharps in the signature of this major key; flats are negative."""
    return _FIFTHS[key[0]] + _FIFTHS_A_SEMITONE * _alteration(key)


def signature(key: str, scale: str) -> str:
    """The name of the key whose signature a scale is written with, ``m`` for minor.

    A mode has the signature of the major scale with its tones. If double sharps or flats would be
    needed, as in G sharp major, the enharmonic key is used.
    """
    shape = SCALES[scale]
    place = fifths_above_c(key) + shape.signature - _MOST_FLATS
    if place >= len(_MAJOR_KEYS):
        place -= OCTAVE
    elif place < 0:
        place += OCTAVE
    if shape.signature == _MINOR_SIGNATURE:
        return f"{_MINOR_KEYS[place]}m"
    return _MAJOR_KEYS[place]


def spelled(key: str, scale: str) -> tuple[str, ...]:
    """The names of a scale's tones: seven tones have a letter each, others the nearest name."""
    shape, tonic = SCALES[scale], pitch_class(key)
    first = _LETTERS.index(key[0])
    names = []
    for number, step in enumerate(shape.steps):
        place = shape.letters[number] if shape.letters else number
        letter = _LETTERS[(first + place) % len(_LETTERS)]
        sharps = (tonic + step - _SEMITONES[letter] + OCTAVE // 2) % OCTAVE - OCTAVE // 2
        names.append(letter + ("#" * sharps if sharps > 0 else "b" * -sharps))
    return tuple(names)
