"""``python -m harmonic_protocol.export DIR [--check]``: write the documents, or compare them."""

import argparse
import sys
from pathlib import Path

from harmonic_protocol.messages.extensions import EXTENSIONS


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="harmonic_protocol.export", description=__doc__)
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("--check", action="store_true", help="write nothing, name what is stale")
    parser.add_argument("--extensions", metavar="MODULES", help="with what these modules declare")
    options = parser.parse_args()
    EXTENSIONS.load(options.extensions or "")
    # The catalogue is built with the extensions, and the documents from the catalogue.
    from harmonic_protocol.export.documents import stale, write  # noqa: PLC0415

    if not options.check:
        write(options.directory)
        return 0
    names = stale(options.directory)
    for name in names:
        print(f"{options.directory / name} is stale: run `make contract`.", file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
