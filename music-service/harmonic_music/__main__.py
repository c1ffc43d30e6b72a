"""``python -m harmonic_music``: one replica of the music service.

``python -m harmonic_music compose`` composes offline: one request per input line, one answer per
output line.
"""

import sys
from contextlib import AbstractAsyncContextManager

from harmonic_music.settings import MusicSettings
from harmonic_runtime.process.commands import run_command
from harmonic_runtime.process.entropy import new_seed
from harmonic_runtime.process.lifecycle import Process


def main() -> int:
    """Carry out what the command line asks for; the exit status."""
    return run_command(MusicSettings, _serve, others={"compose": _compose})


def _serve(process: Process[MusicSettings]) -> AbstractAsyncContextManager[None]:
    # Importing numpy takes most of the start: a mere readiness check does without it.
    from harmonic_music.service import music_service  # noqa: PLC0415

    return music_service(process)


def _compose() -> int:
    """compose offline, a request a line from standard input, an answer a line."""  # noqa: D403
    from harmonic_music.bulk import answers, lines_of  # noqa: PLC0415

    for answer in answers(lines_of(sys.stdin.buffer), new_seed):
        print(answer, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
