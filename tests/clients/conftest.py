"""What generates clients, each as its page says one should install it."""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from harmonic_local.node import install

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
REQUIREMENTS = ROOT / "requirements-clients.txt"
ENVIRONMENT = ROOT / ".cache" / "clients"


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter that has ``openapi-python-client``, and what its clients need."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    program, stamp = ENVIRONMENT / "bin" / "python", ENVIRONMENT / "installed"
    ENVIRONMENT.mkdir(parents=True, exist_ok=True)
    # Tests run in several processes.
    with (ENVIRONMENT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != digest:
            subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
            pip = [str(program), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
            subprocess.run([*pip, "--require-hashes", "-r", str(REQUIREMENTS)], check=True)
            stamp.write_text(digest)
    return program


@pytest.fixture(scope="session")
async def packages() -> Path:
    """The folder with ``openapi-typescript``, ``openapi-fetch`` and the compiler."""
    await install(HERE)
    return HERE
