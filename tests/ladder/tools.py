"""The environment in which the tools of the ladder are installed, apart from the product's own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "ladder"
BIN = CACHE / "venv" / "bin"
_REQUIREMENTS = ROOT / "requirements-ladder.txt"
_READY = CACHE / "venv" / ".ready"


def install() -> None:
    """Install the tools, unless they are there as pinned."""
    if _READY.exists() and _READY.read_text() == _REQUIREMENTS.read_text():
        return
    CACHE.mkdir(parents=True, exist_ok=True)
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
