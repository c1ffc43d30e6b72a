"""Ten minutes of the endless piece with sliders moved: what a room of people would do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from pretty_midi import Instrument, Note, PrettyMIDI

from harmonic_music.endless import ComposedBar, compose_bar
from harmonic_music.score import VOICE_NAMES, Voice
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from listen.picture import COLOURS, PHRASE, Image, png

LENGTH_S = 600
#: The style and the seed.
STREAM = "strings", 9
#: Who moves what, and when: seconds, and the parameters by their names in the contract.
MOVES: tuple[tuple[float, dict[str, object]], ...] = (
    (40, {"rhythmComplexity": 0.8}),
    (75, {"key": "E"}),
    (110, {"tempo": 96}),
    (150, {"elasticity": 1}),
    (185, {"scale": "minor"}),
    (220, {"gravity": 18}),
    (260, {"melodyRange": 0.3, "airResistance": 0.7}),
    (300, {"tempo": 144, "gravity": 9.81}),
    (340, {"scale": "dorian", "harmony": 0.9}),
    (380, {"airResistance": 0.1, "melodyRange": 1}),
    (420, {"friction": 0.9}),
    (450, {"friction": 0.4, "timeScale": 2}),
    (490, {"key": "G", "scale": "major", "timeScale": 1}),
    (530, {"tempo": 80, "elasticity": 0.2}),
)
_MUSIC, _PHYSICS = (
    {field.alias or name for name, field in kind.model_fields.items()}
    for kind in (MusicParameters, PhysicsParameters)
)
_SYSTEM_S, _PIXELS_PER_S, _ROW_PIXELS = 40, 45, 4
_LOWEST, _HIGHEST, _DRUM_ROWS = 30, 100, 4
_PAPER, _BAR, _SECTION, _MOVED = (255, 255, 255), (225, 225, 225), (60, 60, 60), (230, 120, 0)
_DRUM = (120, 120, 120)


@dataclass(frozen=True, slots=True)
class Placed:
    """A bar, when it begins in seconds, and whether something was moved for it."""

    bar: ComposedBar
    begins: float
    moved: bool


def stream(
    style: str | None,
    seed: int,
    moves: Sequence[tuple[float, dict[str, object]]] = MOVES,
    length_s: float = LENGTH_S,
) -> Iterator[Placed]:
    """The bars of so many seconds; what is moved is heard from the next bar on."""
    asked: dict[str, object] = {}
    waiting = list(moves)
    state, number, begins = None, 0, 0.0
    while begins < length_s:
        moved = False
        while waiting and waiting[0][0] <= begins:
            asked |= waiting.pop(0)[1]
            moved = True
        music = MusicParameters.model_validate({k: v for k, v in asked.items() if k in _MUSIC})
        physics = PhysicsParameters.model_validate(
            {k: v for k, v in asked.items() if k in _PHYSICS}
        )
        bar = compose_bar(music, physics, style=style, seed=seed, bar=number, state=state)
        yield Placed(bar, begins, moved)
        state, number, begins = bar.next_state, number + 1, begins + bar.duration_s


def midi_of(placed: Sequence[Placed]) -> bytes:
    """A file of what is heard."""
    file = PrettyMIDI(resolution=960)
    for voice in Voice:
        name = VOICE_NAMES[voice]
        by_program: dict[int, Instrument] = {}
        for one in placed:
            notes = [it for it in one.bar.notes if it.voice == name]
            if notes:
                program = one.bar.instruments[name]
                player = by_program.setdefault(program, Instrument(program, name=name))
                player.notes += [
                    Note(it.velocity, it.pitch, start := one.begins + it.start, start + it.duration)
                    for it in notes
                ]
        file.instruments += by_program.values()
    drums = Instrument(0, is_drum=True, name="drums")
    drums.notes = [
        Note(velocity, key, one.begins + start, one.begins + start + 0.1)
        for one in placed
        for key, start, velocity in one.bar.drums
    ]
    if drums.notes:
        file.instruments.append(drums)
    out = BytesIO()
    file.write(out)
    return out.getvalue()


def write_systems(placed: Sequence[Placed], path: Path) -> None:
    """A roll in systems of ``_SYSTEM_S`` seconds; sections and what was moved are marked above."""
    last = placed[-1]
    count = int((last.begins + last.bar.duration_s) // _SYSTEM_S) + 1
    rows = _HIGHEST - _LOWEST + 1 + _DRUM_ROWS
    image = np.full(
        (count * (rows * _ROW_PIXELS + 6), _SYSTEM_S * _PIXELS_PER_S, 3), _PAPER, dtype=np.uint8
    )
    for one in placed:
        _box(image, one.begins, (0, rows), 1 / _PIXELS_PER_S, _BAR)
        if one.bar.opens:
            _box(image, one.begins, (0, rows), 2 / _PIXELS_PER_S, _SECTION)
        if one.moved:
            _box(image, one.begins, (0, 2), one.bar.duration_s, _MOVED)
        for key, start, velocity in one.bar.drums:
            row = rows - 1 - (key % _DRUM_ROWS)
            _box(image, one.begins + start, (row, 1), 0.05, _shade(_DRUM, velocity))
        for note in one.bar.notes:
            voice = next(voice for voice, name in VOICE_NAMES.items() if name == note.voice)
            begins, row = one.begins + note.start, _HIGHEST - note.pitch
            _box(image, begins, (row, 1), note.duration, _shade(COLOURS[voice], note.velocity))
    height = rows * _ROW_PIXELS + 6
    for system in range(1, count):
        image[system * height - 4 : system * height - 2] = PHRASE
    path.write_bytes(png(image))


def _shade(colour: tuple[int, int, int], velocity: int) -> tuple[int, int, int]:
    strength = min(1.0, 0.35 + velocity / 127)
    red, green, blue = (round(255 - strength * (255 - part)) for part in colour)
    return red, green, blue


def _box(
    image: Image, begins: float, rows: tuple[int, int], lasts: float, colour: tuple[int, int, int]
) -> None:
    """A box from a row on for so many rows."""
    height = (_HIGHEST - _LOWEST + 1 + _DRUM_ROWS) * _ROW_PIXELS + 6
    system = int(begins // _SYSTEM_S)
    left = round((begins - system * _SYSTEM_S) * _PIXELS_PER_S)
    top = system * height + rows[0] * _ROW_PIXELS
    right = left + max(1, round(lasts * _PIXELS_PER_S) - 1)
    image[top : top + max(rows[1] * _ROW_PIXELS - 1, 1), left:right] = colour


def programme(placed: Sequence[Placed]) -> str:
    """The sections one after the other, each with its bars."""
    found: list[tuple[str, int]] = []
    for one in placed:
        if one.bar.opens or not found:
            found.append((one.bar.section, 0))
        found[-1] = found[-1][0], found[-1][1] + 1
    return " ".join(f"{name} ({bars})" for name, bars in found)
