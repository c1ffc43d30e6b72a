"""The shipped systemd units, read as systemd reads them as far as they go."""

import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ladder import tools

SHIPPED = tools.ROOT / "deploy" / "vm" / "systemd"


@dataclass(frozen=True)
class Unit:
    """What a service's unit says: its command, its check before that, and their environment."""

    command: list[str]
    check: list[str] | None
    environment: dict[str, str]


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """A file's assignments, in order."""
    for line in path.read_text().splitlines():
        if line and line[0] not in "#;[":
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()


def read(name: str, *, root: Path, host: str, data: Path) -> Unit:
    """The unit of a service (``nats``, ``harmonic-gateway@8000``) of a machine, and its drop-ins.

    ``root`` holds the machine's own files, ``/etc/harmonic`` and the drop-ins among them.
    Credentials are copied to a folder in ``data``, where its state is, too.
    """
    bare, _, instance = name.partition("@")
    path = SHIPPED / (f"{bare}@.service" if instance else f"{bare}.service")
    credentials = data / f"{name}-credentials"
    credentials.mkdir(parents=True, exist_ok=True)
    # Files override `Environment=`, wherever they stand.
    own: dict[str, str] = {}
    files: dict[str, str] = {}
    commands: dict[str, list[str]] = {}

    def expanded(text: str) -> str:
        for short, value in (
            ("%i", instance),
            ("%l", host),
            ("%d", str(credentials)),
            ("%S", str(data)),
        ):
            text = text.replace(short, value)
        return text

    drop_ins = sorted((root / "etc" / "systemd" / "system" / f"{path.name}.d").glob("*.conf"))
    for key, value in chain.from_iterable(map(_lines, [path, *drop_ins])):
        if key == "EnvironmentFile":
            files |= dict(_lines(root / value.removeprefix("/")))
        elif key == "Environment":
            own |= dict(part.split("=", 1) for part in shlex.split(expanded(value)))
        elif key == "LoadCredential":
            credential, _, source = value.partition(":")
            shutil.copy(root / source.removeprefix("/"), credentials / credential)
        elif key.startswith("Exec"):
            commands[key] = shlex.split(expanded(value))
    return Unit(commands["ExecStart"], commands.get("ExecStartPre"), {**own, **files})
