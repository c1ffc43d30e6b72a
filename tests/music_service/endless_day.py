"""``python -m music_service.endless_day DIR``: a day of the endless piece, measured and drawn.

It prints what it costs, how long the longest passage is that comes twice, how large the state gets,
how much memory the process takes, and how intensity, keys and textures are spread. It draws the
course of the whole and of its beginning, histograms, and rolls of 64 bars at several moments.
"""

import argparse
import resource
import time
from collections import Counter, deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np

from harmonic_music.endless import ComposedBar, compose_bar
from harmonic_music.endless.wire import read
from harmonic_music.styles.catalogue import STYLES
from harmonic_music.theory.scales import SCALES
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from listen.endless import Placed, write_systems
from music_service.endless_golden import Record
from music_service.endless_people import moves, people
from music_service.endless_plots import LAYERS, Series, draw_course, draw_spread, smoothed

_KEY_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_FIRST_BARS, _ROLL_BARS = 600, 64
_BREATHS = 16


@dataclass(frozen=True, slots=True)
class Measured:
    """A bar in numbers: how loud, how dense a beat, who plays, in which key and section."""

    loudness: float
    density: float
    layers: frozenset[str]
    key: tuple[int, str]
    section: str
    opens: bool
    all_notes: Hashable
    melody: Hashable


@dataclass(frozen=True, slots=True)
class Course:
    """How many bars, and every how many bars a roll is drawn."""

    bars: int
    rolls: int


def records_of(moves_every: int, seed: int, *, played: bool) -> Iterator[Record]:
    """The parameters bar by bar, for ever: as people move them, in jumps, or never changed."""
    if played:
        return people(seed)
    if not moves_every:
        return repeat((MusicParameters(), PhysicsParameters()))
    return moves(moves_every, seed)


def measured(bar: ComposedBar, state: str | None) -> Measured:
    """What there is to say of a bar, whatever its tempo."""
    beats = STYLES[bar.style].meter.bar / 12
    sixteenth = bar.duration_s / (4 * beats)
    grid = sorted((it.pitch, round(it.start / sixteenth), it.voice) for it in bar.notes)
    layers = {it.voice for it in bar.notes} | ({"drums"} if bar.drums else set())
    position = read(state or bar.next_state)
    key = position.segment.key if position else None
    named = next(
        (name for name, shape in SCALES.items() if key and shape.steps == key.scale.steps), ""
    )
    return Measured(
        loudness=float(np.mean([it.velocity for it in bar.notes])) if bar.notes else 0.0,
        density=(len(bar.notes) + len(bar.drums)) / beats,
        layers=frozenset(layers),
        key=(key.tonic if key else 0, named),
        section=bar.section,
        opens=bar.opens,
        all_notes=hash(tuple(grid)),
        melody=hash(tuple(it[:2] for it in grid if it[2] == "melody")),
    )


def longest_repeat(bars: Sequence[Hashable]) -> int:
    """How many bars the longest passage has that is heard twice, overlaps included."""
    #: By powers of two, the names of passages of that length, one for each place: alike where
    #: they are the same.
    names = [_named(bars)]
    while len(names[-1]) > 1 << (len(names) - 1):
        one, half = names[-1], 1 << (len(names) - 1)
        names.append(_named(list(zip(one, one[half:], strict=False))))
    low, high = 0, len(bars) - 1
    while low < high:
        middle = (low + high + 1) // 2
        power = middle.bit_length() - 1
        one, over = names[power], middle - (1 << power)
        passages = list(zip(one, one[over:], strict=False))
        if len(set(passages)) < len(passages):
            low = middle
        else:
            high = middle - 1
    return low


def _named(things: Sequence[Hashable]) -> list[int]:
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(it, len(numbers)) for it in things]


def main() -> int:
    """Measure, print and draw; the exit status tells whether 64 bars were heard twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--style", default="strings")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bars", type=int, default=43_200)
    parser.add_argument("--moves-every", type=int, default=0, help="bars between jumps of a slider")
    parser.add_argument("--people", action="store_true", help="sliders as people move them")
    parser.add_argument("--rolls", type=int, default=8, help="rolls of 64 bars to draw")
    given = parser.parse_args()
    given.directory.mkdir(parents=True, exist_ok=True)
    records = records_of(given.moves_every, given.seed, played=given.people)
    print_memory(records, given.style, given.seed, given.bars)
    records = records_of(given.moves_every, given.seed, played=given.people)
    found = played(
        records, given.style, given.seed, given.directory, Course(given.bars, given.rolls)
    )
    repeats = longest_repeat([it.all_notes for it in found])
    print(f"longest passage heard twice: {repeats} bars;", end=" ")
    print(f"of the melody: {longest_repeat([it.melody for it in found])} bars")
    describe(found)
    draw_course(found, given.directory / "day.png")
    draw_course(found[:_FIRST_BARS], given.directory / "first.png")
    draw_spread(found, given.directory / "spread.png")
    return int(repeats >= _ROLL_BARS)


def print_memory(records: Iterator[Record], style: str, seed: int, bars: int) -> None:
    """Compose the bars, keep none, and print how much memory the process has at eight moments."""
    state, resident = None, []
    for number in range(bars):
        composed = compose_bar(*next(records), style=style, seed=seed, bar=number, state=state)
        state = composed.next_state
        if (number + 1) % (bars // 8) == 0:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
            resident.append(pages * resource.getpagesize() // 1024)
    print("KiB of memory while composing alone, after each eighth:", *resident)


def played(
    records: Iterator[Record], style: str, seed: int, directory: Path, course: Course
) -> list[Measured]:
    """The bars of a day in numbers; print their cost, and draw rolls of some of them."""
    state, found, largest, most = None, [], 0, 0
    latest: deque[Placed] = deque(maxlen=_ROLL_BARS)
    every = max(course.bars // max(course.rolls, 1), _ROLL_BARS)
    spent, before, asked = 0.0, 0.0, None
    for number in range(course.bars):
        record = next(records)
        started = time.process_time()
        bar = compose_bar(*record, style=style, seed=seed, bar=number, state=state)
        spent += time.process_time() - started
        found.append(measured(bar, state))
        latest.append(Placed(bar, before, record != asked and asked is not None))
        state, before, asked = bar.next_state, before + bar.duration_s, record
        largest, most = max(largest, len(state)), max(most, len(bar.notes))
        if course.rolls and number % every == _ROLL_BARS - 1:
            write_systems(_from_zero(latest), directory / f"roll-{number + 1:05d}.png")
    print(f"{course.bars} bars, {course.bars / spent:.0f} a CPU-second")
    print(f"largest state {largest} bytes, most notes in a bar {most}")
    return found


def _from_zero(bars: Sequence[Placed]) -> list[Placed]:
    return [Placed(it.bar, it.begins - bars[0].begins, it.moved) for it in bars]


def describe(found: Sequence[Measured]) -> None:
    """Print how things are spread."""
    for name in ("loudness", "density"):
        series: Series = np.array([getattr(it, name) for it in found])
        parts = np.percentile(series, [0, 5, 25, 50, 75, 95, 100]).round(2).tolist()
        within = smoothed(series, 8)
        rises = np.percentile(within, 95) - np.percentile(within, 5)
        print(f"{name}: percentiles {parts}; over eight bars from 5 % to 95 %: {rises:.2f}")
    count = len(found)
    for title, names in (
        ("keys", [f"{_KEY_NAMES[it.key[0]]} {it.key[1]}" for it in found]),
        ("textures", ["+".join(sorted(it.layers)) or "silence" for it in found]),
        ("sections", [it.section for it in found]),
    ):
        shares = ", ".join(
            f"{n} {100 * t / count:.1f} %" for n, t in Counter(names).most_common(14)
        )
        print(f"{title}: {shares}")
    for layer in LAYERS:
        plays = [layer in it.layers for it in found]
        runs, share = stretches(plays), 100 * sum(plays) / count
        long = sum(length > _BREATHS for length in lengths(plays))
        print(
            f"{layer}: in {share:.0f} % of bars; longest {runs[True]}, at rest {runs[False]}; "
            f"{long} stretches of more than {_BREATHS} bars"
        )


def lengths(plays: Sequence[bool]) -> list[int]:
    """The lengths of all stretches of bars in which a layer plays."""
    found, length = [], 0
    for it in [*plays, False]:
        if it:
            length += 1
        elif length:
            found.append(length)
            length = 0
    return found


def stretches(plays: Sequence[bool]) -> dict[bool, int]:
    """The longest run of bars in which a layer plays, and in which it does not."""
    return {
        True: max(lengths(plays), default=0),
        False: max(lengths([not it for it in plays]), default=0),
    }


if __name__ == "__main__":
    raise SystemExit(main())
