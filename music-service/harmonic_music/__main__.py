"""``python -m harmonic_music``: one replica of the music service.

``python -m harmonic_music compose`` composes offline: a request a line in, an answer a line out.
"""

import argparse
import sys

from harmonic_music.bulk import answers
from harmonic_music.service import music_service
from harmonic_music.settings import MusicSettings
from harmonic_runtime.process.entropy import new_seed
from harmonic_runtime.process.lifecycle import run_service
from harmonic_runtime.process.settings import load_settings


def main() -> int:
    """Run until a signal, or until the last request is answered; the exit status."""
    parser = argparse.ArgumentParser(prog="harmonic_music", description=__doc__)
    parser.add_argument(
        "command", nargs="?", choices=("serve", "compose"), default="serve", help="default: serve"
    )
    if parser.parse_args().command == "compose":
        for answer in answers(sys.stdin.buffer, new_seed):
            print(answer, flush=True)
        return 0
    return run_service(load_settings(MusicSettings), music_service, service="music")


if __name__ == "__main__":
    sys.exit(main())
