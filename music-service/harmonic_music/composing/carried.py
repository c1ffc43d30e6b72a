"""What a phrase leaves to the next: all that a piece needs to go on, in a few hundred bytes."""

import json
from dataclasses import dataclass, field, replace

from harmonic_music.composing.form import Field
from harmonic_music.composing.memory import MOST_THEMES, Theme, theme_of_wire
from harmonic_music.composing.runs import Run
from harmonic_music.composing.voicing import FIRST_VOICING, Voicing
from harmonic_music.theory.scales import ScaleShape, shape_of_steps

#: The name of the theme that a piece begins with.
FIRST_THEME = "AA"


@dataclass(frozen=True, slots=True)
class Carried:
    """The current harmony and pitches of the voices, and the themes that were heard.

    ``melody`` are the two pitches sung last; ``chorus`` counts the phrases since the introduction,
    ``runs`` how often each run was heard.
    """

    degree: int | None = None
    key: Field | None = None
    melody: tuple[int, int] | None = None
    bass: int | None = None
    voicing: Voicing = FIRST_VOICING
    section: str = ""
    chorus: int = 0
    themes: dict[str, Theme] = field(default_factory=dict)
    runs: dict[Run, int] = field(default_factory=dict)

    def remembering(self, name: str, theme: Theme) -> "Carried":
        """The same with one more theme; if there are too many, the one heard last is dropped."""
        themes = dict(self.themes)
        if len(themes) >= MOST_THEMES:
            themes.pop(next(reversed(themes)))
        return replace(self, themes={**themes, name: theme})

    def written(self) -> str:
        """The state as text, from which another process can continue."""
        key = self.key
        return json.dumps(
            {
                "degree": self.degree,
                "key": [list(key.scale.steps), key.tonic] if key else None,
                "melody": self.melody,
                "bass": self.bass,
                "voicing": self.voicing,
                "section": self.section,
                "chorus": self.chorus,
                "themes": {name: theme.wire() for name, theme in self.themes.items()},
                "runs": [[*run, times] for run, times in self.runs.items()],
            },
            separators=(",", ":"),
        )


def read_carried(text: str) -> Carried:
    """The state from its text. Raise :class:`ValueError` if the text is no state."""
    read = json.loads(text)
    key = read["key"]
    return Carried(
        degree=read["degree"],
        key=Field(_shape(key[0]), key[1]) if key else None,
        melody=tuple(read["melody"]) if read["melody"] else None,
        bass=read["bass"],
        voicing=tuple(read["voicing"]),
        section=read["section"],
        chorus=read["chorus"],
        themes={name: theme_of_wire(theme) for name, theme in read["themes"].items()},
        runs={(at, step, count, up): times for at, step, count, up, times in read["runs"]},
    )


def _shape(steps: list[int]) -> ScaleShape:
    shape = shape_of_steps(tuple(steps))
    if shape is None:
        raise ValueError("no scale has these steps")
    return shape
