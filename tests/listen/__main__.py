"""``python -m listen DIR``: render the examples, and a page to read beside them."""

import sys
from pathlib import Path

from harmonic_music.performing import perform
from harmonic_music.theory.keys import spelled
from listen.endless import MOVES, STREAM, midi_of, programme, stream, write_systems
from listen.examples import EXAMPLES
from listen.picture import write_roll
from listen.sound import write_wav
from listen.spectrum import write_spectrogram
from music_service import features
from music_service.measures import MEASURES
from music_service.tunes import tune_of


def main() -> int:
    """Write everything; the exit status."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    page = ["<!doctype html><meta charset=utf-8><title>Examples</title>"]
    for example in EXAMPLES:
        made = perform(example.request)
        score = made.score
        (directory / f"{example.name}.mid").write_bytes(made.midi)
        write_wav(made.midi, directory / f"{example.name}.wav")
        write_spectrogram(
            directory / f"{example.name}.wav", directory / f"{example.name}-spectrum.png"
        )
        write_roll(score, directory / f"{example.name}.png")
        tune = tune_of(score)
        numbers = {name: measure(score) for name, measure in MEASURES.items()}
        numbers |= {
            name: number(tune)
            for name, (number, _) in (*features.NUMBERS.items(), *features.VERTICAL.items())
        }
        form = " ".join(section.name for section in score.sections)
        page.append(
            f"<h2>{example.name}</h2><p>{score.duration:g} s, {score.tempo:g} beats a minute, "
            f"{score.key} {score.scale} ({' '.join(spelled(score.key, score.scale))}), "
            f"{score.style} in {score.meter.name}, seed {example.seed}, sections {form}, "
            f"{len(score.events)} notes</p>"
            f'<img src="{example.name}.png" style="max-width:100%"><br>'
            f'<img src="{example.name}-spectrum.png" style="max-width:100%"><br>'
            f'<audio controls src="{example.name}.wav"></audio> '
            f'<a href="{example.name}.mid">MIDI</a>'
            f"<p>{', '.join(f'{name} {value:.2f}' for name, value in numbers.items())}</p>"
        )
        print(f"{example.name}: {', '.join(f'{n} {v:.2f}' for n, v in numbers.items())}")
    page.append(endless(directory))
    (directory / "index.html").write_text("\n".join(page))
    print(f"Open {directory / 'index.html'}")
    return 0


def endless(directory: Path) -> str:
    """Write ten minutes of the endless piece; what the page says of them."""
    placed = list(stream(*STREAM))
    name = "endless"
    (directory / f"{name}.mid").write_bytes(midi_of(placed))
    write_wav((directory / f"{name}.mid").read_bytes(), directory / f"{name}.wav")
    write_systems(placed, directory / f"{name}.png")
    moves = "; ".join(
        f"{at // 60:.0f}:{at % 60:02.0f} {', '.join(f'{n} {v}' for n, v in moved.items())}"
        for at, moved in MOVES
    )
    form = programme(placed)
    print(f"{name}: {len(placed)} bars, {form}")
    return (
        f"<h2>{name}</h2><p>{placed[0].bar.style}, seed {STREAM[1]}, {len(placed)} bars: {form}</p>"
        f"<p>Moved, in orange: {moves}</p>"
        f'<img src="{name}.png" style="max-width:100%"><br>'
        f'<audio controls src="{name}.wav"></audio> <a href="{name}.mid">MIDI</a>'
    )


if __name__ == "__main__":
    sys.exit(main())
