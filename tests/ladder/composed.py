"""What the compose file says, without its engine: a machine for each of its services.

The brokers, the services and the proxy run with the environment, the secrets and the files that the
composition gives them, and by the names that it knows them by. Two browser windows meet behind it.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from harmonic_local.node import install, node
from harmonic_local.processes import Managed, NotReadyError, says_ready
from harness import programs
from ladder import machines, tools
from ladder.machines import Machine
from ladder.programs import Program
from ladder.rungs import Findings

HAPROXY = Program("haproxy", "haproxy")
_DEPLOY = tools.ROOT / "deploy"
_BIN = tools.ROOT / ".venv" / "bin"
_PLAYGROUND = tools.ROOT / "tests" / "playground"
#: A network that HARMONIC_TRUSTED_PROXIES of the composition has.
_ADDRESS = "172.16.17.{}"
_KINDS = ("nats", "state", "music", "gateway", "proxy")
_VARIABLE = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")
_PORT = 8080
_VISIT_TIMEOUT_S = 100.0
_KEPT_LINES = 5


class _Composition:
    """The compose file with its merges made, and what its services are given in folders."""

    def __init__(self, folder: Path) -> None:
        text = _VARIABLE.sub(r"\1", (_DEPLOY / "compose.yaml").read_text())
        document: dict[str, Any] = yaml.safe_load(text)
        self.services: Mapping[str, dict[str, Any]] = {
            name: service
            for name, service in document["services"].items()
            if name.partition("-")[0] in _KINDS
        }
        self._secrets = document["secrets"]
        self._folder = folder
        # As its head says: certificates by the script, and two secrets.
        self._own = folder / ".compose"
        brokers = [name for name in self.services if name.startswith("nats")]
        subprocess.run(
            [_DEPLOY / "vm" / "certificates", self._own / "certs", *brokers],
            check=True,
            capture_output=True,
        )
        (self._own / "secrets").mkdir()
        for name in ("jwt-secret", "session-secret"):
            (self._own / "secrets" / name).write_text(f"{name} " * 4)
        addresses = "".join(f"{self.address(name)} {name}\n" for name in self.services)
        self.said: deque[str] = deque(maxlen=_KEPT_LINES)
        self._hosts = f"127.0.0.1 localhost\n{addresses}"

    def address(self, name: str) -> str:
        """The address of a service's machine."""
        return _ADDRESS.format(10 + list(self.services).index(name))

    def machine(self, name: str, namespace: str) -> Machine:
        """A service's machine, which knows the others by their names."""
        etc = self._folder / name / "etc"
        shutil.copytree(_DEPLOY / "nats", etc / "nats")
        (etc / "hosts").write_text(self._hosts)
        return Machine(namespace, {"/etc": etc})

    def process(self, name: str, machine: Machine) -> Managed:
        """A service's program, as its image starts it."""
        service = self.services[name]
        secrets = self._secrets_of(name)
        environment = {
            key: str(value).replace("/run/secrets", str(secrets))
            for key, value in service.get("environment", {}).items()
        }
        kind = name.partition("-")[0]
        if kind == "nats":
            # A volume is a folder here.
            environment["NATS_STORE_DIR"] = str(self._folder / name / "data")
            command = [_BIN / "nats-server", *service["command"]]
        elif kind == "proxy":
            command = [HAPROXY.path, "-V", "-db", "-f", _DEPLOY / "compose" / "haproxy.cfg"]
        else:
            command = [_BIN / f"harmonic-{kind}"]
        return Managed(
            name=name,
            command=machine.command([str(part) for part in command]),
            environment=environment,
            output=lambda _name, line: self.said.append(f"{name}: {line}"),
            sign=_SIGNS.get(kind, says_ready),
        )

    def _secrets_of(self, name: str) -> Path:
        """The folder of a service's secrets, by the names that it knows them by."""
        folder = self._folder / name / "secrets"
        folder.mkdir()
        for secret in self.services[name].get("secrets", ()):
            each = {"source": secret, "target": secret} if isinstance(secret, str) else secret
            file = self._folder / self._secrets[each["source"]]["file"]
            shutil.copy(file, folder / each["target"])
        return folder


_SIGNS: Mapping[str, Callable[[str], bool]] = {
    "nats": lambda line: "Server is ready" in line,
    "proxy": lambda line: "polling mechanism" in line,
}


async def _visit(proxy: Machine) -> str | None:
    """Two windows at the address that the composition publishes; what went wrong."""
    await install(_PLAYGROUND)
    address = f"http://localhost:{_PORT}"
    plan = json.dumps({"gateways": [address, address], "universe": "", "tokens": {}})
    program = str(_PLAYGROUND / "programs" / "visit.mts")
    ended = await programs.run(
        *proxy.command([str(node()), program, plan]),
        folder=_PLAYGROUND,
        environment=os.environ,
        timeout_s=_VISIT_TIMEOUT_S,
    )
    return None if ended.status == 0 else ended.output[-1000:]


async def _answers(proxy: Machine) -> str | None:
    """Ask for a gateway behind the proxy until its first check has succeeded; else the fault."""
    asking = ("curl", "--silent", "--fail", "--retry", "20", "--retry-delay", "1")
    ready = f"http://localhost:{_PORT}/readyz"
    done = await asyncio.to_thread(proxy.run, *asking, "--retry-all-errors", ready)
    return None if '"ready"' in done.stdout else f"no gateway behind the proxy: {done.stdout[:200]}"


async def _run(found: Findings, composition: _Composition, at: Mapping[str, Machine]) -> None:
    async with AsyncExitStack() as stack:
        for kind in _KINDS:
            starting = [
                composition.process(name, machine)
                for name, machine in at.items()
                if name.partition("-")[0] == kind
            ]
            for process in starting:
                stack.push_async_callback(process.stop)
            await asyncio.gather(*(process.start() for process in starting))
            found.count("programs as composed", len(starting))
        fault = await _answers(at["proxy"]) or await _visit(at["proxy"])
        if fault:
            found.faults.append(fault)
        else:
            found.count("windows behind compose", 2)


@contextmanager
def _machines(composition: _Composition) -> Iterator[dict[str, Machine]]:
    addresses = [composition.address(name) for name in composition.services]
    with machines.network("composed", addresses) as namespaces:
        yield {
            name: composition.machine(name, namespace)
            for name, namespace in zip(composition.services, namespaces, strict=True)
        }


def check(found: Findings, folder: Path) -> None:
    """Start what the compose file describes, and open the page behind it in two windows."""
    composition = _Composition(folder)
    with _machines(composition) as at:
        try:
            asyncio.run(_run(found, composition, at))
        except NotReadyError as error:
            found.faults.append(f"{error}: {' | '.join(composition.said)}")
