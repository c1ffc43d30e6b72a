"""The reference of all services' settings, and the list of their variables, from the classes.

``python -m harmonic_local.reference`` writes both; with ``--check`` it says whether they are stale.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from harmonic_gateway.settings import GatewaySettings
from harmonic_music.settings import MusicSettings
from harmonic_runtime.process.reference import describe_settings, variables_of
from harmonic_runtime.process.settings import ServiceSettings
from harmonic_state.settings import StateSettings

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "deploy" / "docs" / "settings.md"
VARIABLES = ROOT / "shared" / "harmonic_runtime" / "process" / "variables.txt"
SERVICES: tuple[type[ServiceSettings], ...] = (GatewaySettings, StateSettings, MusicSettings)

_HEAD = """\
# Settings

Every service is set by environment variables, and refuses to start with a sentence that names the
variable where one cannot be used. `harmonic-gateway check`, `harmonic-state check` and
`harmonic-music check` print what is in force, with secrets masked.

A secret can also be read from a file: the variable's name with `_FILE` after it names the file.
This page is made from the code by `make settings`.

"""


def documents() -> Mapping[Path, str]:
    """Each file's path and what it should hold."""
    shared = set(ServiceSettings.model_fields)
    parts = [_HEAD, "## All services\n\n", describe_settings(ServiceSettings)]
    for service in SERVICES:
        title = {"gateway": "Gateway", "state": "State service", "music": "Music service"}
        parts.append(f"\n## {title[service.service]}\n\n")
        parts.append(describe_settings(service, without=shared))
    names = "".join(f"{name}\n" for name in variables_of(*SERVICES))
    return {PAGE: "".join(parts), VARIABLES: names}


def main(arguments: list[str]) -> int:
    """Write the documents, or check them; the exit status."""
    stale = [
        path for path, text in documents().items() if not path.exists() or path.read_text() != text
    ]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale: run `make settings`.\n")
        return 1 if stale else 0
    for path in stale:
        path.write_text(documents()[path])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
