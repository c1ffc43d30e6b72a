"""The services of the last release, built from its commit as an operator would install them."""

import fcntl
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from harmonic_local.stack import program

ROOT = Path(__file__).parents[2]
RELEASES = ROOT / "deploy" / "releases.toml"
_CACHE = ROOT / ".cache" / "releases"
_PACKAGES = ("shared", "gateway", "state-service", "music-service")
_LOCK = "requirements-run.txt"


class NotInClone(Exception):
    """This clone of the repository lacks the commit of a release."""

    def __init__(self, release: "Release") -> None:
        super().__init__(
            f"the clone lacks {release.commit}, of release {release.version}:"
            " fetch its history (git fetch --unshallow)"
        )


@dataclass(frozen=True)
class Release:
    """A version that was given out, and the commit that it was built from."""

    version: str
    commit: str

    @property
    def folder(self) -> Path:
        """Where it is built."""
        return _CACHE / self.commit

    @property
    def python(self) -> Path:
        """The interpreter that has its services and what its own lock names."""
        return self.folder / "venv" / "bin" / "python"

    def build(self) -> None:
        """Install it into an environment of its own, unless it is there already.

        Raise :class:`NotInClone` where the commit is not at hand.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        # Tests run in several processes.
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ready = self.folder / "ready"
            if not ready.exists():
                self._install(self._unpacked())
                ready.touch()

    def _unpacked(self) -> Path:
        archive = subprocess.run(
            ["git", "-C", str(ROOT), "archive", self.commit, *_PACKAGES, _LOCK],
            capture_output=True,
            check=False,
        )
        if archive.returncode:
            raise NotInClone(self)
        source = self.folder / "source"
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
            files.extractall(source, filter="data")
        return source

    def _install(self, source: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", self.python.parents[1]], check=True)
        packages = [str(source / name) for name in _PACKAGES]
        for what in (
            ["--require-hashes", "--requirement", str(source / _LOCK)],
            ["--no-deps", "--no-build-isolation", *packages],
        ):
            pip = [str(self.python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
            subprocess.run([*pip, "install", *what], check=True, capture_output=True)


def last_release() -> Release:
    """The release before this tree."""
    named = tomllib.loads(RELEASES.read_text())["release"][-1]
    return Release(named["version"], named["commit"])


def is_shallow() -> bool:
    """Whether this clone was made without its history."""
    asked = ["git", "-C", str(ROOT), "rev-parse", "--is-shallow-repository"]
    return subprocess.run(asked, capture_output=True, check=True).stdout.strip() == b"true"


def run_by(release: Release, names: Collection[str]) -> Callable[[str, str], Sequence[str]]:
    """Runs the processes of these names, or of these kinds, by a release; others by this tree."""

    def command(name: str, module: str) -> Sequence[str]:
        kind = name.partition("-")[0]
        if name in names or kind in names:
            return [str(release.python), "-m", module]
        return program(name, module)

    return command
