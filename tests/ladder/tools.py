"""The environment in which the tools of the ladder are installed, apart from the product's own."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "ladder"
BIN = CACHE / "venv" / "bin"
_REQUIREMENTS = ROOT / "requirements-ladder.txt"
_READY = CACHE / "venv" / ".ready"


@contextmanager
def alone(what: str, folder: Path = CACHE) -> Iterator[None]:
    """Let no other process of this checkout do the same while the block runs.

    Say so, once, where another one is waited for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{what}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"waiting for another {what} of this checkout\n")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install() -> None:
    """Install the tools, unless they are there as pinned."""
    with alone("install"):
        if not (_READY.exists() and _READY.read_text() == _REQUIREMENTS.read_text()):
            _install()


def _install() -> None:
    subprocess.run([sys.executable, "-m", "venv", str(BIN.parent)], check=True)
    subprocess.run(
        [
            BIN / "pip",
            "install",
            "--quiet",
            "--quiet",
            "--require-hashes",
            "--requirement",
            _REQUIREMENTS,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    _READY.write_text(_REQUIREMENTS.read_text())


def python(module: str, *arguments: str) -> Any:
    """What a module of the tests, run among the tools, prints as JSON."""
    process = subprocess.run(
        [BIN / "python", "-m", module, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
    )
    return json.loads(process.stdout)


def output(tool: str, *arguments: str | Path) -> tuple[int, str]:
    """The exit status of a tool, and its standard output."""
    process = subprocess.run(
        [BIN / tool, *arguments], check=False, capture_output=True, text=True, cwd=ROOT
    )
    return process.returncode, process.stdout
