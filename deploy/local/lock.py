"""Pins all dependencies with hashes, for every platform, and writes no registry address.

What is pinned stays as it is while it fits: remove a pin to have it chosen anew.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

SOURCES = ("requirements-run.in", "requirements-operator.in", "requirements-dev.in")
_COMPILE = (
    *(sys.executable, "-m", "uv", "pip", "compile", "--universal"),
    *("--generate-hashes", "--no-annotate", "--no-header", "--quiet"),
    *("--no-emit-index-url", "--no-emit-find-links", "--no-emit-options"),
)
#: This repository's own distributions have no hash; where packages come from is for each machine.
_OWN = re.compile(r"^(-e|--(extra-)?index-url|--find-links) .*\n", re.MULTILINE)


def main() -> int:
    """Write ``requirements-*.txt`` anew; the exit status."""
    for source in SOURCES:
        target = Path(source).with_suffix(".txt")
        # Local wheels that a machine happens to have are not what others would get.
        environment = {
            name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"
        }
        command = (*_COMPILE, source, "--output-file", str(target))
        status = subprocess.run(command, env=environment, check=False).returncode
        if status:
            return status
        target.write_text(_OWN.sub("", target.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
