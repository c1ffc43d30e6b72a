"""The examples: one for each corner of the parameter space that should sound like itself."""

from dataclasses import dataclass, field

from harmonic_music.composing import CompositionRequest
from harmonic_protocol.values import MusicParameters, PhysicsParameters


@dataclass(frozen=True, slots=True)
class Example:
    """A name, and what the piece is made from."""

    name: str
    duration: float
    seed: int
    music: dict[str, object] = field(default_factory=dict)
    physics: dict[str, object] = field(default_factory=dict)
    style: str | None = None

    @property
    def request(self) -> CompositionRequest:
        return CompositionRequest(
            MusicParameters.model_validate(self.music),
            PhysicsParameters.model_validate(self.physics),
            self.duration,
            self.seed,
            self.style,
        )


EXAMPLES = (
    Example("01-defaults", 32, 11),
    Example("02-defaults-another-seed", 32, 12),
    Example("03-minor-slow", 40, 3, {"key": "A", "scale": "minor", "tempo": 66}),
    Example("04-pure-and-calm", 32, 4, {"harmony": 1, "rhythmComplexity": 0.15, "key": "G"}),
    Example("05-rough", 32, 5, {"harmony": 0, "key": "D"}, {"friction": 0.9}),
    Example("06-lively-and-wide", 24, 6, {"rhythmComplexity": 1, "melodyRange": 1, "tempo": 140}),
    Example("07-narrow-chant", 32, 7, {"melodyRange": 0, "scale": "dorian", "key": "D"}),
    Example("08-blues", 32, 8, {"scale": "blues", "key": "E", "tempo": 96, "harmony": 0.5}),
    Example("09-pentatonic-ringing", 32, 9, {"scale": "pentatonic"}, {"timeScale": 4}),
    Example("10-gesture-of-two-seconds", 2, 10),
    Example(
        "11-harmonic-minor-springy",
        32,
        13,
        {"scale": "harmonic_minor", "key": "C"},
        {"elasticity": 1},
    ),
    Example("12-whole-tone-staccato", 24, 14, {"scale": "whole_tone"}, {"timeScale": 0.3}),
    Example("13-lydian-fast", 24, 15, {"scale": "lydian", "key": "F", "tempo": 176}),
    Example("14-five-minutes", 300, 16, {"key": "Eb", "tempo": 108}),
    Example("15-waltz", 48, 17, {"key": "F", "tempo": 160}, style="waltz"),
    Example("16-swing", 48, 18, {"key": "Bb", "tempo": 168}, style="swing"),
)
