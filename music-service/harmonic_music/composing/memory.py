"""What a piece remembers: its themes, as chords and degrees, in whatever key they come again."""

from dataclasses import dataclass

from harmonic_music.composing.harmony import Progression
from harmonic_music.composing.melody import Sung

#: So many themes are remembered at most; of more, the one that was heard last gives way.
MOST_THEMES = 8


@dataclass(frozen=True, slots=True)
class Theme:
    """A theme's bars: their chords and their melody."""

    chords: Progression
    melody: tuple[Sung, ...]
