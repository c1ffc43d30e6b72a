"""What Node's programs need is installed once for each lockfile."""

import asyncio
import json
from pathlib import Path

import pytest

from harmonic_local.node import InstallError, install


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lock(tmp_path)
    (tmp_path / "package.json").write_text(json.dumps({"name": "empty"}))
    return tmp_path


def lock(folder: Path, *, version: str = "1.0.0") -> None:
    locked = {"name": "empty", "version": version, "lockfileVersion": 3, "packages": {"": {}}}
    (folder / "package-lock.json").write_text(json.dumps(locked))


async def test_what_is_installed_is_not_installed_again(folder: Path) -> None:
    await install(folder)
    (folder / "node_modules" / "mine").touch()

    await install(folder)

    assert (folder / "node_modules" / "mine").exists()


async def test_who_wants_the_same_at_once_waits_for_it(folder: Path) -> None:
    installing = [asyncio.create_task(install(folder)) for _ in range(2)]
    await asyncio.wait(installing, return_when=asyncio.FIRST_COMPLETED)
    (folder / "node_modules" / "mine").touch()

    await asyncio.gather(*installing)

    assert (folder / "node_modules" / "mine").exists()


async def test_another_lockfile_is_installed_anew(folder: Path) -> None:
    await install(folder)
    (folder / "node_modules" / "mine").touch()
    lock(folder, version="1.0.1")

    await install(folder)

    assert not (folder / "node_modules" / "mine").exists()


async def test_a_failure_names_the_log_that_says_why(folder: Path) -> None:
    (folder / "package.json").write_text(json.dumps({"dependencies": {"not-locked": "1.0.0"}}))
    log = folder / ".cache" / "npm.log"

    with pytest.raises(InstallError, match=str(log)):
        await install(folder)

    assert "not-locked" in log.read_text()
