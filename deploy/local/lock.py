"""Pins all dependencies with hashes, for every platform, and writes no registry address.

What is pinned stays as it is while it fits: remove a pin to have it chosen anew.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

SOURCES = (
    "requirements-run.in",
    "requirements-operator.in",
    "requirements-dev.in",
    "requirements-ladder.in",
    "requirements-clients.in",
)
#: What each image holds, and what builds the wheels in it: of the versions pinned for development.
IMAGES = {
    "gateway": ("-e ./shared", "-e ./gateway"),
    "state": ("-e ./shared", "-e ./state-service"),
    "music": ("-e ./shared", "-e ./music-service"),
    "operator": ("-e ./shared", "-e ./shared/client-python", "-e ./deploy/operator"),
    "build": ("hatchling",),
}
IMAGES_FOLDER = Path("deploy/images")
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
        if status := _compile(Path(source).with_suffix(".txt"), source):
            return status
    for name, requirements in IMAGES.items():
        # The operator's command has an environment of its own.
        pins = f"requirements-{'operator' if name == 'operator' else 'run'}.txt"
        target = IMAGES_FOLDER / f"requirements-{name}.txt"
        given = "\n".join(requirements)
        if status := _compile(target, "-", "--constraint", pins, given=given):
            return status
    return 0


def _compile(target: Path, *sources: str, given: str | None = None) -> int:
    """Pin what ``sources`` ask for in ``target``; the resolver's exit status."""
    # Local wheels that a machine happens to have are not what others would get.
    environment = {name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"}
    command = (*_COMPILE, *sources, "--output-file", str(target))
    status = subprocess.run(
        command, env=environment, input=given, text=True, check=False
    ).returncode
    if status == 0:
        target.write_text(_OWN.sub("", target.read_text()))
    return status


if __name__ == "__main__":
    sys.exit(main())
