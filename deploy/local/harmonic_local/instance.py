"""What other commands need to know of the instance that runs here, in a file of its own."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

RUN_DIRECTORY = Path(".run")
_INSTANCE = "instance.json"
_SECRET = "jwt-secret"  # noqa: S105 -- a file's name


@dataclass(frozen=True)
class Instance:
    """A running instance: its first gateway's address and the secret that its tokens need."""

    url: str
    gateways: list[str]
    jwt_secret: str
    pid: int

    @classmethod
    def read(cls, directory: Path = RUN_DIRECTORY) -> Self | None:
        """The instance that runs here, if one does."""
        try:
            found = cls(**json.loads((directory / _INSTANCE).read_text()))
            os.kill(found.pid, 0)
        except (OSError, ValueError, TypeError):
            return None
        return found

    def write(self, directory: Path = RUN_DIRECTORY) -> None:
        """Tell others of it; readable by this user only, since it holds the secret."""
        _write_private(directory / _INSTANCE, json.dumps(asdict(self)))

    @staticmethod
    def remove(directory: Path = RUN_DIRECTORY) -> None:
        """It runs no more."""
        (directory / _INSTANCE).unlink(missing_ok=True)


def jwt_secret(directory: Path = RUN_DIRECTORY) -> str:
    """``HARMONIC_JWT_SECRET`` if set, else one made once and kept with the data."""
    given = os.environ.get("HARMONIC_JWT_SECRET")
    if given:
        return given
    kept = directory / _SECRET
    if not kept.exists():
        _write_private(kept, secrets.token_urlsafe(32))
    return kept.read_text().strip()


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
