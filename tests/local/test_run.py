"""`make run` as a person at a terminal meets it."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from harmonic_local.processes import free_port
from harmonic_local.tokens import make_token

LOCAL = Path(__file__).parents[2] / "deploy" / "local"
GREETED = "make demo"
PATIENCE_S = 30.0


class Terminal:
    """A process of ``harmonic_local`` in a folder of its own, with all that it printed."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self.printed = ""

    async def shows(self, text: str) -> None:
        """Read on until ``text`` was printed."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while text not in self.printed:
                line = await self.process.stdout.readline()
                assert line, self.printed
                self.printed += line.decode()

    async def ends(self) -> int:
        """Read to the end; the exit status."""
        async with asyncio.timeout(PATIENCE_S):
            rest, _ = await self.process.communicate()
        self.printed += rest.decode()
        assert self.process.returncode is not None
        return self.process.returncode

    async def universe(self, secret: str) -> tuple[int, Any]:
        """What the first gateway knows of the first universe."""
        headers = {"Authorization": f"Bearer {make_token(secret, 'ann')}"}
        url = f"{self.url}/api/v1/universes/universe-123"
        async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as response:
            return response.status, await response.json()


@asynccontextmanager
async def command(
    folder: Path,
    *arguments: str,
    module: str = "harmonic_local",
    port: int = 0,
    **environment: str,
) -> AsyncIterator[Terminal]:
    """A command of ``harmonic_local``, ended with the block if it was not before."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(LOCAL), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    terminal = Terminal(process, port)
    try:
        yield terminal
    finally:
        if process.returncode is None:
            process.terminate()
            await terminal.ends()


@asynccontextmanager
async def instance(folder: Path, **environment: str) -> AsyncIterator[Terminal]:
    """A running instance."""
    port = free_port()
    async with command(folder, "run", "--port", str(port), port=port, **environment) as terminal:
        await terminal.shows(GREETED)
        yield terminal


async def test_an_instance_greets_with_an_address_a_token_and_a_snippet(tmp_path: Path) -> None:
    async with instance(tmp_path) as terminal:
        assert f"runs at {terminal.url}." in terminal.printed
        assert f"io('{terminal.url}/ws'" in terminal.printed
        assert re.search(r"^eyJ\S+$", terminal.printed, re.MULTILINE)
        assert re.search(r"^gateway-1 \| [\d:.]{12} info +ready$", terminal.printed, re.MULTILINE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_stops_an_instance_in_order(tmp_path: Path, number: signal.Signals) -> None:
    async with instance(tmp_path) as terminal:
        children = psutil.Process(terminal.process.pid).children(recursive=True)
        terminal.process.send_signal(number)
        assert await terminal.ends() == 0
        assert terminal.printed.endswith("Stopped. The data stays in .run/.\n")
        assert "Traceback" not in terminal.printed
        assert not any(child.is_running() for child in children)


async def test_a_second_signal_does_not_cut_the_stop_short(tmp_path: Path) -> None:
    async with instance(tmp_path) as terminal:
        terminal.process.send_signal(signal.SIGINT)
        await terminal.shows("Stopping")
        terminal.process.send_signal(signal.SIGINT)
        assert await terminal.ends() == 0
        assert "Traceback" not in terminal.printed


async def test_an_instance_stops_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    async with instance(tmp_path) as terminal:
        transport: Any = terminal.process._transport  # type: ignore[attr-defined]
        transport.get_pipe_transport(1).close()
        gateway = named(terminal, "harmonic_gateway")
        gateway.terminate()
        assert await terminal.process.wait() == 0


async def test_a_process_that_crashes_is_started_again(tmp_path: Path) -> None:
    async with instance(tmp_path) as terminal:
        gateway = named(terminal, "harmonic_gateway")
        gateway.kill()
        await terminal.shows("gateway-1 ended with status -9: starting it again")
        terminal.printed = ""
        await terminal.shows("ready")
        assert named(terminal, "harmonic_gateway").pid != gateway.pid


async def test_a_given_secret_is_what_tokens_are_verified_with(tmp_path: Path) -> None:
    secret = "a secret of the person at the terminal"
    async with instance(tmp_path, HARMONIC_JWT_SECRET=secret) as terminal:
        status, universe = await terminal.universe(secret)
        assert (status, universe["name"]) == (200, "The first universe")


async def test_a_made_secret_and_the_data_outlive_the_instance(tmp_path: Path) -> None:
    async with instance(tmp_path) as terminal:
        secret = (tmp_path / ".run" / "jwt-secret").read_text()
        _, before = await terminal.universe(secret)
    async with instance(tmp_path) as terminal:
        assert await terminal.universe(secret) == (200, before)


async def test_a_second_instance_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    async with instance(tmp_path) as first, command(tmp_path, "run") as second:
        assert await second.ends() == 1
        assert second.printed == (f"An instance runs here already at {first.url}: stop it first.\n")


async def test_a_token_is_printed_alone(tmp_path: Path) -> None:
    async with instance(tmp_path), command(tmp_path, "token", "--user", "ann") as terminal:
        assert await terminal.ends() == 0
        assert re.fullmatch(r"eyJ\S+\n", terminal.printed)


async def test_a_busy_port_is_told_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with command(tmp_path, "run", "--port", str(port)) as terminal:
            assert await terminal.ends() == 1
    assert terminal.printed == (
        f"Port {port} is in use: choose another, as in `make run PORT=8100`.\n"
    )


async def test_a_secret_that_is_too_short_is_told_by_name(tmp_path: Path) -> None:
    arguments = ("run", "--port", str(free_port()))
    async with command(tmp_path, *arguments, HARMONIC_JWT_SECRET="short") as terminal:
        assert await terminal.ends() == 1
    assert "HARMONIC_JWT_SECRET must have at least 16" in terminal.printed
    assert "Traceback" not in terminal.printed


async def test_a_gateway_without_a_secret_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARMONIC_JWT_SECRET", raising=False)
    async with command(tmp_path, module="harmonic_gateway") as terminal:
        assert await terminal.ends() == 2
    assert terminal.printed == (
        "HARMONIC_JWT_SECRET must be set, or HARMONIC_JWKS_URL or HARMONIC_JWKS_FILE.\n"
    )


@pytest.mark.parametrize("arguments", [("demo",), ("token", "--user", "ann")])
async def test_without_an_instance_the_others_say_so(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    async with command(tmp_path, *arguments) as terminal:
        assert await terminal.ends() == 1
        assert terminal.printed == "No instance runs here: start one with `make run`.\n"


def named(terminal: Terminal, module: str) -> psutil.Process:
    """The instance's process that runs a module."""
    children = psutil.Process(terminal.process.pid).children()
    return next(child for child in children if module in child.cmdline())
