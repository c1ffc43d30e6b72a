"""Who has the tune and who the second voice: other instruments from chapter to chapter."""

from functools import lru_cache
from types import MappingProxyType

from harmonic_music.composing.dice import Dice, Layer
from harmonic_music.endless.places import Purpose, number_of
from harmonic_music.styles.catalogue import STYLES

#: General MIDI's programs, counted from 0.
_VIBES, _ACCORDION, _NYLON, _STEEL, _CLEAN = 11, 21, 24, 25, 27
_VIOLIN, _VIOLA, _CELLO, _TRUMPET, _TROMBONE, _HORN = 40, 41, 42, 56, 57, 60
_ALTO, _TENOR, _OBOE, _BASSOON, _CLARINET, _FLUTE = 65, 66, 68, 70, 71, 73
_LEAD, _MARIMBA, _WHISTLE, _FIDDLE = 81, 12, 78, 110

#: By style, who else may have the tune and the second voice. Styles for one instrument have none.
_OTHERS = MappingProxyType(
    {
        "strings": (
            (_FLUTE, _VIOLA),
            (_OBOE, _VIOLIN),
            (_CLARINET, _CELLO),
            (_VIOLIN, _HORN),
            (_VIOLA, _CELLO),
        ),
        "ballad": ((_OBOE, _CELLO), (_CLARINET, _FLUTE), (_NYLON, _FLUTE), (_ALTO, _OBOE)),
        "pop": ((_CLEAN, _LEAD), (_ALTO, _CLEAN), (_FLUTE, _STEEL)),
        "swing": ((_TRUMPET, _TENOR), (_TENOR, _TROMBONE), (_CLARINET, _ALTO), (_VIBES, _TRUMPET)),
        "latin": ((_FLUTE, _NYLON), (_TRUMPET, _NYLON), (_VIBES, _FLUTE)),
        "march": ((_CLARINET, _HORN), (_FLUTE, _TROMBONE), (_OBOE, _CLARINET)),
        "minimal": ((_VIBES, _MARIMBA), (_CLARINET, _VIBES), (_FLUTE, _MARIMBA)),
        "waltz": ((_CLARINET, _VIOLIN), (_FLUTE, _CELLO), (_ACCORDION, _VIOLIN)),
        "minuet": ((_OBOE, _BASSOON), (_FLUTE, _OBOE), (_VIOLIN, _OBOE)),
        "barcarolle": ((_FLUTE, _CLARINET), (_OBOE, _CELLO), (_VIOLIN, _CLARINET)),
        "jig": ((_WHISTLE, _FIDDLE), (_ACCORDION, _WHISTLE), (_FLUTE, _FIDDLE)),
        "blues": ((_ALTO, _TRUMPET), (_CLEAN, _TENOR), (_TRUMPET, _CLEAN)),
    }
)
#: How often a chapter has the style's own instruments, beside the others, in thousandths.
_USUAL = 400


@lru_cache(maxsize=512)
def players_of(name: str, seed: int, chapter: int) -> tuple[int, int, int, int]:
    """The programs of the voices in a chapter; a piece begins with its style's own."""
    dice = Dice(seed, Layer.STYLE, number_of(Purpose.PLAYERS, chapter))
    style, others = STYLES[name], _OTHERS.get(name, ())
    if not chapter or not others or dice.chance(_USUAL):
        return style.programs
    return (*dice.choice(others), *style.programs[2:])
