"""``python -m listen.rolls DIR [--seed N] [--half seen|held-out] [--first-seed N]``: a blind test.

Renders piano rolls of real pieces and of ours, shuffled, all alike and without titles: whole pieces
as ``whole-01.png``…, and other pieces' melodies alone as ``melody-01.png``…. What is what is
written to ``DIR-key.json``, beside the folder, for whoever has rated them to open. Half of the real
melodies are upper parts of pieces, half are fiddlers' tunes.
"""

import argparse
import json
import random
import sys
from pathlib import Path

from harmonic_music.composing import compose
from listen.picture import draw_work
from music_service import repertoire
from music_service.compare import request
from music_service.works import Work, work_of

OF_EACH = 6
#: Ours go on beyond the excerpt, as the real ones do.
_BEATS_MORE = 64


def main() -> int:
    """Draw everything; the exit status."""
    parser = argparse.ArgumentParser(prog="listen.rolls", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="of the choice and of the order")
    parser.add_argument("--half", choices=("seen", "held-out"), default="seen")
    parser.add_argument("--first-seed", type=int, default=10_000, help="of our pieces")
    asked = parser.parse_args()
    asked.directory.mkdir(parents=True, exist_ok=True)
    chance = random.Random(asked.seed)
    pieces = chance.sample(repertoire.works(asked.half), OF_EACH + OF_EACH // 2)
    tunes = chance.sample(repertoire.works(asked.half, "tunes"), OF_EACH - OF_EACH // 2)
    real = [*pieces, *tunes]
    ours = [_ours(asked.first_seed + number) for number in range(2 * OF_EACH)]
    key: dict[str, str] = {}
    for kind, part in (("whole", slice(0, OF_EACH)), ("melody", slice(OF_EACH, None))):
        mixed = [*real[part], *ours[part]]
        chance.shuffle(mixed)
        for number, work in enumerate(mixed, start=1):
            name = f"{kind}-{number:02d}.png"
            shown = work if kind == "whole" else work.melody_alone()
            (asked.directory / name).write_bytes(draw_work(shown))
            key[name] = work.name
    key_file = asked.directory.with_name(asked.directory.name + "-key.json")
    key_file.write_text(json.dumps(key, indent=1))
    print(f"Rate {len(key)} rolls in {asked.directory}, then open {key_file}")
    return 0


def _ours(seed: int) -> Work:
    score = compose(request(seed, repertoire.BEATS + _BEATS_MORE))
    return work_of(score, f"ours, seed {seed}").excerpt(repertoire.BEATS)


if __name__ == "__main__":
    sys.exit(main())
