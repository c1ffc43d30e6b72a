"""The file by which other commands find the instance that runs here."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

RUN_DIRECTORY = Path(".run")
_INSTANCE = "instance.json"
_LOCK = "lock"
#: Between two attempts to have the folder.
_LOCK_PAUSE_S = 0.02
_SECRET = "jwt-secret"  # noqa: S105 -- a file's name


class AlreadyRunning(Exception):
    """Another instance uses the same data."""


@dataclass(frozen=True)
class Instance:
    """A running instance: its gateways' addresses and the secret that its tokens need.

    ``operator`` are the settings of an operator's commands.
    """

    gateways: list[str]
    jwt_secret: str
    operator: dict[str, str]

    @classmethod
    def read(cls, directory: Path = RUN_DIRECTORY) -> Self | None:
        """The instance that runs here, if one does. The file of a crashed one does not count."""
        try:
            with alone(directory):
                return None
        except AlreadyRunning:
            pass
        try:
            return cls(**json.loads((directory / _INSTANCE).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, directory: Path = RUN_DIRECTORY) -> None:
        """Write the file, readable by this user only, since it holds the secret."""
        _write_private(directory / _INSTANCE, json.dumps(asdict(self)))

    @staticmethod
    def remove(directory: Path = RUN_DIRECTORY) -> None:
        """Remove the file: the instance has ended."""
        (directory / _INSTANCE).unlink(missing_ok=True)


@contextmanager
def alone(directory: Path = RUN_DIRECTORY, *, patience_s: float = 0.0) -> Iterator[None]:
    """Lock ``directory``, or raise :class:`AlreadyRunning`. A crash releases the lock, too.

    A command that only asks whether an instance runs locks it for a moment. A start waits for
    that.
    """
    directory.mkdir(parents=True, exist_ok=True)
    ends_at_s = time.monotonic() + patience_s
    with (directory / _LOCK).open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= ends_at_s:
                    raise AlreadyRunning(directory) from None
            time.sleep(_LOCK_PAUSE_S)
        yield


def jwt_secret(directory: Path = RUN_DIRECTORY) -> str:
    """``HARMONIC_JWT_SECRET`` if set, else one made once and kept with the data."""
    given = os.environ.get("HARMONIC_JWT_SECRET")
    if given:
        return given
    kept = directory / _SECRET
    made = kept.read_text().strip() if kept.exists() else ""
    if not made:
        made = secrets.token_urlsafe(32)
        _write_private(kept, made)
    return made


def _write_private(path: Path, text: str) -> None:
    """Write a file that this user alone may read: whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)
