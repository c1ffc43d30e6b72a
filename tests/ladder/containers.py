"""A container engine of the test's own, in a machine of its own: nothing of the host's is used."""

import asyncio
import json
import os
import resource
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from harmonic_local.processes import Managed, says_ready
from harmonic_release.images import shares_layers
from ladder.machines import Machine
from ladder.programs import Program

_DOCKER, _DOCKERD = Program("docker", "docker-cli"), Program("dockerd", "docker.io")
#: The engine and what it runs. Some of Debian's releases have both commands in one package, so the
#: engine stands first. With AppArmor in the kernel, it needs that one's parser.
PROGRAMS = (
    _DOCKERD,
    _DOCKER,
    Program("runc", "runc"),
    Program("apparmor_parser", "apparmor"),
)
#: Ticks a second of the kernel's times of processes.
_TICKS = os.sysconf("SC_CLK_TCK")
_MEMORY = "256m"
#: Open files of a container: as many as this process may have.
_, _FILES = resource.getrlimit(resource.RLIMIT_NOFILE)


class Engine:
    """A running engine, which shares the network of its machine with its containers."""

    def __init__(self, socket: Path) -> None:
        self._docker = [str(_DOCKER.path), "--host", f"unix://{socket}"]

    async def load(self, archive: Path) -> None:
        """Take an image from an archive."""
        await self.ask("load", "--quiet", "--input", str(archive))

    def container(self, image: str, name: str, environment: Mapping[str, str]) -> Managed:
        """A service as it should be able to run: on a read-only root, in little memory."""
        variables = [f"--env={key}={value}" for key, value in environment.items()]
        return Managed(
            name=name,
            command=[
                *(*self._docker, "run", "--rm", "--name", name, "--network", "host"),
                *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
                *("--memory", _MEMORY, "--memory-swap", _MEMORY, "--ulimit", f"nofile={_FILES}"),
                *("--pull", "never", *variables, image),
            ],
            environment={},
            output=lambda _name, _line: None,
            sign=says_ready,
        )

    async def process(self, name: str) -> "Process":
        """The process of a container, as the host sees it."""
        (state,) = json.loads(await self.ask("inspect", name))
        return Process(int(state["State"]["Pid"]))

    async def healthy(self, name: str, within_s: float) -> bool:
        """Whether the image's own health check comes to say so in time."""
        for _ in range(int(within_s)):
            (state,) = json.loads(await self.ask("inspect", name))
            if state["State"].get("Health", {}).get("Status") == "healthy":
                return True
            # The engine asks by its own clock, and tells nobody.
            await asyncio.sleep(1)
        return False

    async def ask(self, *arguments: str) -> str:
        """What the engine's command prints; raise ``OSError`` if it fails."""
        asked = await asyncio.create_subprocess_exec(
            *self._docker,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, complaint = await asked.communicate()
        if asked.returncode:
            raise OSError(f"docker {arguments[0]}: {complaint.decode().strip()[-300:]}")
        return said.decode()


class Process:
    """A process by its id, as the kernel describes it."""

    def __init__(self, pid: int) -> None:
        self._folder = Path("/proc") / str(pid)

    @property
    def runs(self) -> bool:
        """Whether it is still there."""
        return self._folder.exists()

    @property
    def cpu_s(self) -> float:
        """The CPU time that it has used, in seconds."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def status(self, name: str) -> list[str]:
        """A line of its status, without the name."""
        lines = (self._folder / "status").read_text().splitlines()
        return next(line.split()[1:] for line in lines if line.startswith(f"{name}:"))


@asynccontextmanager
async def engine(machine: Machine, folder: Path) -> AsyncIterator[Engine]:
    """An engine whose files are all in ``folder``."""
    socket = folder / "socket"
    process = Managed(
        name="dockerd",
        command=machine.command(
            [
                *(str(_DOCKERD.path), "--iptables=false", "--bridge=none"),
                *("--storage-driver", "overlay2" if shares_layers(folder) else "vfs"),
                *("--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")),
                *("--pidfile", str(folder / "pid"), "--host", f"unix://{socket}"),
            ]
        ),
        environment={},
        output=lambda _name, _line: None,
        sign=lambda line: "API listen on" in line,
    )
    await process.start()
    try:
        yield Engine(socket)
    finally:
        await process.stop()
