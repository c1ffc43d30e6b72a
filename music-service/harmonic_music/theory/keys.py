"""Keys as pitch classes, and as places on the circle of fifths."""

from types import MappingProxyType

OCTAVE = 12

_SEMITONES = MappingProxyType({"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11})
_FIFTHS = MappingProxyType({"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5})
#: So many fifths above its letter lies a sharp, and so many below a flat.
_FIFTHS_A_SEMITONE = 7


def _alteration(key: str) -> int:
    return key.count("#") - key.count("b")


def pitch_class(key: str) -> int:
    """The tonic's pitch class: 0 for C, 11 for B, and also for Cb."""
    return (_SEMITONES[key[0]] + _alteration(key)) % OCTAVE


def fifths_above_c(key: str) -> int:
    """The sharps in the signature of this major key; flats are negative."""
    return _FIFTHS[key[0]] + _FIFTHS_A_SEMITONE * _alteration(key)
