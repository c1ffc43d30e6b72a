"""Machines of a test: network namespaces with a bridge between them, and folders over the root.

A program runs in a machine with the shipped files where they are meant to be, and with the ports
and addresses that they name. Nothing of the host's own is changed.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ladder.programs import Program

#: What namespaces and mounts need.
PROGRAMS = (
    Program("ip", "iproute2"),
    Program("nsenter", "util-linux"),
    Program("unshare", "util-linux"),
    Program("mount", "mount"),
)


def missing() -> Iterator[str]:
    """What this system lacks for machines."""
    if os.geteuid() != 0:
        yield "only root may make network namespaces"


@dataclass(frozen=True)
class Machine:
    """A network namespace; ``layers`` are folders laid over folders of the root, by their paths."""

    namespace: str
    layers: Mapping[str, Path]

    def command(self, command: Sequence[str]) -> list[str]:
        """How to run a command in it. The process keeps its id: signals reach the program."""
        over = "".join(
            f"mount -t overlay overlay -o 'lowerdir={folder}:{place}' '{place}' && "
            for place, folder in self.layers.items()
        )
        return [
            *("nsenter", f"--net=/var/run/netns/{self.namespace}"),
            *("unshare", "--mount", "sh", "-c", f'{over}exec "$@"', "sh", *command),
        ]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it to its end."""
        return subprocess.run(self.command(command), check=False, capture_output=True, text=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextmanager
def namespace(name: str) -> Iterator[str]:
    """A network namespace of its own, with its loopback up; removed at the end."""
    _ip("netns", "add", name)
    try:
        _ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        _ip("netns", "delete", name)


@contextmanager
def network(prefix: str, addresses: Sequence[str]) -> Iterator[list[str]]:
    """A namespace for each address, all on one bridge that nothing else is on."""
    with ExitStack() as stack:
        switch = stack.enter_context(namespace(f"{prefix}-switch"))
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        names = []
        for number, address in enumerate(addresses):
            name = stack.enter_context(namespace(f"{prefix}-{number}"))
            port = f"port{number}"
            _ip("-n", switch, "link", "add", port, "type", "veth", "peer", "eth0", "netns", name)
            _ip("-n", switch, "link", "set", port, "master", "bridge", "up")
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            names.append(name)
        yield names
