"""``python -m harmonic_test_kit``: run an instance for a test suite, until standard input ends."""

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from harmonic_local.processes import NotReadyError
from harmonic_test_kit.serving import serve


def main() -> int:
    """Do so; the exit status."""
    parser = argparse.ArgumentParser(prog="harmonic_test_kit", description=__doc__)
    parser.add_argument("--gateways", type=int, default=1)
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    settings = dict(setting.split("=", 1) for setting in options.setting)
    with tempfile.TemporaryDirectory(prefix="harmonic-") as folder:
        status = 0
        try:
            asyncio.run(serve(Path(folder), options.gateways, settings))
        except* NotReadyError as problems:
            for problem in problems.exceptions:
                sys.stderr.write(f"{problem}\n")
            for log in sorted(Path(folder).glob("*.log")):
                sys.stderr.write(f"{log.stem}: {log.read_text()[-2000:]}\n")
            status = 1
        except* asyncio.CancelledError:
            # A signal asked for the end; all processes have ended in order.
            status = 128 + signal.SIGTERM
    return status


if __name__ == "__main__":
    sys.exit(main())
