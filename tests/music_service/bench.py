"""``python -m music_service.bench [PART…]``: what the composer costs, and what its pieces measure.

Parts are speed, monotony, structure, variety, likeness and validity; without any, all. Speed is
told beside a loop of numpy that is always the same, so that machines can be compared.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import combinations
from statistics import median
from typing import TypeVar

import numpy as np

from harmonic_music.composing import COMPOSER_VERSION, CompositionRequest, compose
from harmonic_music.midi import render
from harmonic_music.performing import perform
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from music_service import corpus
from music_service.boundaries import boundaries
from music_service.comparison import margin, table
from music_service.likeness import alike
from music_service.measures import MEASURES, PARAMETERS, correlations, melody, piece
from music_service.validity import AWAY, TONIC_FROM_HARMONY, faults, random_request

T = TypeVar("T")

REQUESTS = 20_000
SEEDS = 1000
CHORALES = 60
RUNS = 30
QUANTILES = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)


def main() -> int:
    """Print all of it, or the parts that were asked for; 1 if a piece has a fault."""
    parts = (speed, monotony, structure, variety, likeness, validity)
    wanted = sys.argv[1:]
    if unknown := set(wanted) - {part.__name__ for part in parts}:
        print(f"There is no part {', '.join(sorted(unknown))}")
        return 2
    print(f"Composer version {COMPOSER_VERSION}")
    return sum(part() or 0 for part in parts if not wanted or part.__name__ in wanted)


def reference() -> None:
    """The fixed loop."""
    values = np.arange(200_000, dtype=np.float64)
    for _ in range(20):
        values = np.sqrt(values * 1.0001 + 1.0)


def cpu_ms(work: Callable[[], object], runs: int) -> float:
    """The median of the CPU time it takes."""
    return cpu_ms_of_each(lambda _: work(), range(runs))


def cpu_ms_of_each(work: Callable[[T], object], inputs: Iterable[T]) -> float:
    """The median of the CPU time it takes for one of them."""
    found = []
    for it in inputs:
        started = time.process_time()
        work(it)
        found.append(1000 * (time.process_time() - started))
    return median(found)


def speed() -> None:
    """Pieces as they are stored, what of that goes into which part, and what composer 2 took."""
    loop = cpu_ms(reference, RUNS)
    print(f"\nCPU in ms (median of {RUNS}; the numpy loop takes {loop:.1f})")
    columns = ("all", "at most", "loops", "before", "composing", "JSON", "MIDI")
    print(f"  {'':8s}" + "".join(f"{column:>11}" for column in columns))
    for duration, most, before in ((8.0, 5, 0.27), (60.0, None, 1.6), (300.0, 120, 7.6)):
        requests = [
            CompositionRequest(MusicParameters(), PhysicsParameters(), duration, seed)
            for seed in range(RUNS)
        ]
        scores = [compose(request) for request in requests]
        whole = cpu_ms_of_each(perform, requests)
        composing = cpu_ms_of_each(compose, requests)
        midi = cpu_ms_of_each(render, scores)
        print(
            f"  {duration:6.0f} s{whole:11.1f}{most or '':>11}{whole / loop:11.2f}{before:11.2f}"
            f"{composing:11.1f}{whole - composing - midi:11.1f}{midi:11.1f}"
        )


def monotony() -> None:
    """Every parameter against every measure; what is not as it should be is marked."""
    print("\nSpearman's rho, nine steps of thirty seeds" + "".join(f"{m:>13}" for m in MEASURES))
    for name, parameter in PARAMETERS.items():
        rhos = correlations(name)
        marked = (
            f"{rho:12.2f}{' ' if parameter.allows(measure, rho) else '!'}"
            for measure, rho in rhos.items()
        )
        print(f"  {name:40s}" + "".join(marked))


def structure() -> None:
    """Phrase ends, composed and heard."""
    hits = composed = heard = 0
    for seed in range(200):
        score = piece(64, seed)
        ends = boundaries(melody(score))
        starts = score.phrases[1:]
        hits += sum(any(abs(end - start) <= TICKS_PER_BEAT for end in ends) for start in starts)
        composed += len(starts)
        heard += len(ends)
    print(
        f"\nPhrase ends: {hits / composed:.0%} of those composed are heard, "
        f"{hits / heard:.0%} of those heard are composed"
    )


def variety() -> None:
    """How alike seeds are, and real pieces."""
    melodies = [melody(piece(32, seed)) for seed in range(SEEDS)]
    kinds = Counter(tuple((note.onset, note.pitch) for note in notes) for notes in melodies)
    print(f"\nOf {SEEDS} seeds, {len(kinds)} melodies; likeness of their intervals at quantiles")
    print("  " + " ".join(f"{quantile:6.0%}" for quantile in QUANTILES))
    _print_likeness("ours", [[note.pitch for note in notes] for notes in melodies[:150]])
    real = [*corpus.melodies(corpus.FEW_SONGS), *corpus.chorales(CHORALES)]
    _print_likeness("real", [[sound.pitch for sound in t.beginning(16).melody] for t in real])


def _print_likeness(name: str, melodies: list[list[int]]) -> None:
    found = sorted(alike(one, other) for one, other in combinations(melodies, 2))
    values = (found[round(quantile * (len(found) - 1))] for quantile in QUANTILES)
    print("  " + " ".join(f"{value:6.2f}" for value in values) + f"  {name}")


def likeness() -> None:
    """Beside real music and what is easily made."""
    melodies = [*corpus.melodies(corpus.MANY_SONGS), *corpus.melodies(corpus.MANY_DANCES)]
    chorales = corpus.chorales(CHORALES)
    print(f"\nOverlaps, {len(melodies)} songs and dances and {len(chorales)} chorales")
    rows = table(melodies, chorales)
    columns = list(next(iter(rows.values())))
    print(f"  {'':24s}" + "".join(f"{column:>12}" for column in (*columns, "margin")))
    for name, row in rows.items():
        values = (*row.values(), margin(row))
        print(f"  {name:24s}" + "".join(f"{value:12.2f}" for value in values))


def validity() -> int:
    """Faults of random requests, and where those end that are to end on the tonic."""
    chance = random.Random(2024)
    requests = [random_request(chance) for _ in range(REQUESTS)]
    found = Counter(fault for request in requests for fault in faults(request))
    print(f"\nFaults in {REQUESTS} random pieces: {dict(found) or 'none'}")
    bound = sum(request.music.harmony >= TONIC_FROM_HARMONY for request in requests)
    print(f"Of {bound} with harmony, {1 - found[AWAY] / bound:.2%} end on the tonic")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
