"""Rung 5: what compose, virtual machines and the chart's brokers are given starts as it is."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from harmonic_local.processes import Managed, NotReadyError, says_ready
from ladder import chart_brokers, composed, machines, tools, units
from ladder.machines import Machine
from ladder.programs import Program
from ladder.rungs import Findings

_HAPROXY, _NGINX = Program("haproxy", "haproxy"), Program("nginx", "nginx")
PROGRAMS = (
    _HAPROXY,
    _NGINX,
    Program("systemd-analyze", "systemd"),
    Program("curl", "curl"),
    Program("openssl", "openssl"),
    *machines.PROGRAMS,
)
_DEPLOY = tools.ROOT / "deploy"
_BIN = tools.ROOT / ".venv" / "bin"
#: The machines of the shipped settings.
ADDRESSES = ("10.0.0.11", "10.0.0.12", "10.0.0.13")
_ALONE = f"tls://{ADDRESSES[0]}:4222"
#: The compose file's proxy knows gateways by names: the first one's is this machine.
_HOSTS = "127.0.0.1 localhost gateway-1\n10.0.0.12 gateway-2\n"
#: What the proxy on a machine serves, by the shipped files.
_READY = "http://127.0.0.1:8080/readyz"


def _install(root: Path, certificates: Path, number: int) -> dict[str, Path]:
    """Put a machine's files into ``root``, as the page on virtual machines says."""
    harmonic = root / "etc" / "harmonic"
    shutil.copytree(_DEPLOY / "nats", harmonic / "nats")
    for path in (_DEPLOY / "vm").glob("*.env"):
        shutil.copy(path, harmonic)
    nats = harmonic / "nats.env"
    nats.write_text(nats.read_text().replace("nats-1\n", f"nats-{number}\n"))
    (root / "etc" / "hosts").write_text(_HOSTS)
    own = harmonic / "certs"
    own.mkdir()
    for path in certificates.iterdir():
        if path.name != "ca.key":
            shutil.copy(path, own)
    for end in ("crt", "key"):
        shutil.copy(certificates / f"broker-{ADDRESSES[number - 1]}.{end}", own / f"broker.{end}")
    secrets = harmonic / "secrets"
    secrets.mkdir()
    for name in ("jwt-secret", "session-secret"):
        (secrets / name).write_text("0123456789abcdef" * 2)
    opt = root / "opt" / "harmonic" / "bin"
    local = root / "local"
    opt.mkdir(parents=True)
    local.mkdir()
    for service in ("gateway", "state", "music"):
        (opt / f"harmonic-{service}").symlink_to(_BIN / f"harmonic-{service}")
    (local / "nats-server").symlink_to(_BIN / "nats-server")
    return {"/etc": root / "etc", "/opt": root / "opt", "/usr/local/bin": local}


def _have_one_broker(etc: Path) -> None:
    """Change a machine's files as the page says for one machine by itself."""
    drop_in = etc / "systemd" / "system" / "nats.service.d"
    drop_in.mkdir(parents=True)
    shutil.copy(_DEPLOY / "vm" / "single-broker.conf", drop_in)
    for name, shipped, own in (
        ("common.env", ",".join(f"tls://{each}:4222" for each in ADDRESSES), _ALONE),
        ("state.env", "HARMONIC_STREAM_REPLICAS=3", "HARMONIC_STREAM_REPLICAS=1"),
    ):
        text = (etc / "harmonic" / name).read_text()
        (etc / "harmonic" / name).write_text(text.replace(shipped, own))


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ladder-") as name:
        yield Path(name)


def _certificates(folder: Path) -> Path:
    """What the shipped script makes for the three machines."""
    made = folder / "certificates"
    subprocess.run(
        [_DEPLOY / "vm" / "certificates", made, *ADDRESSES], check=True, capture_output=True
    )
    return made


class _Vm:
    """Three machines with the shipped units, and what was found about them."""

    def __init__(self, found: Findings, folder: Path, namespaces: Sequence[str]) -> None:
        certificates = _certificates(folder)
        self._found = found
        self._folder = folder
        self._machines = [
            Machine(name, _install(folder / name, certificates, number))
            for number, name in enumerate(namespaces, start=1)
        ]
        # The first of them by itself.
        layers = _install(folder / "alone", certificates, 1)
        _have_one_broker(folder / "alone" / "etc")
        self._alone = Machine(namespaces[0], layers)

    def verify_units(self) -> None:
        """Ask systemd about the units, the programs being where they name them."""
        paths = [str(path) for path in sorted(units.SHIPPED.glob("*.service"))]
        for machine in (self._machines[0], self._alone):
            self._verify(machine, paths)

    def _verify(self, machine: Machine, paths: Sequence[str]) -> None:
        done = machine.run("systemd-analyze", "verify", *paths)
        self._found.count("units", len(paths))
        # It also speaks of the host's own units, which are none of ours.
        own = [line for line in done.stderr.splitlines() if "harmonic" in line or "nats" in line]
        self._found.faults += own

    async def start(self) -> None:
        """Run brokers, services and proxies by their units, and ask for a gateway through each."""
        async with AsyncExitStack() as stack:
            brokers = [self._unit(number, "nats") for number in range(len(self._machines))]
            await asyncio.gather(*(self._begin(stack, broker) for broker in brokers))
            await asyncio.gather(
                *(
                    self._begin(stack, self._unit(number, name))
                    for number, name in (
                        (0, "harmonic-state"),
                        (1, "harmonic-music"),
                        (0, "harmonic-gateway@8000"),
                        (0, "harmonic-gateway@8001"),
                    )
                )
            )
            for name, command in self._proxies():
                async with self._running(
                    Managed(
                        name,
                        command,
                        {},
                        _silent,
                        lambda line: "worker" in line or "polling mechanism" in line,
                    )
                ):
                    await self._answers(name)

    async def start_alone(self) -> None:
        """Run one broker and a service of each kind on one machine by itself."""
        async with AsyncExitStack() as stack:
            for name in ("nats", "harmonic-state", "harmonic-music", "harmonic-gateway@8000"):
                await self._begin(stack, self._managed(self._alone, "alone", name))

    def _unit(self, number: int, name: str) -> Managed:
        machine = self._machines[number]
        return self._managed(machine, machine.namespace, name)

    def _managed(self, machine: Machine, host: str, name: str) -> Managed:
        """A unit of the machine whose files are in the folder ``host``, which is its name too."""
        unit = units.read(
            name, root=self._folder / host, host=host, data=self._folder / f"data-{host}"
        )
        is_broker = name == "nats"
        return Managed(
            name=f"{name} of {host}",
            command=machine.command(unit.command),
            environment=unit.environment,
            output=_silent,
            sign=(lambda line: "Server is ready" in line) if is_broker else says_ready,
        )

    def _proxies(self) -> list[tuple[str, list[str]]]:
        machine, folder = self._machines[0], self._folder
        options = f"daemon off; pid {folder}/nginx.pid; error_log stderr notice;"
        shipped = _DEPLOY / "proxies"
        haproxy, nginx = _HAPROXY.path, _NGINX.path
        commands = {
            "haproxy.cfg": [haproxy, "-V", "-db", "-f", shipped / "haproxy.cfg"],
            "nginx.conf": [nginx, "-p", folder, "-c", shipped / "nginx.conf", "-g", options],
            "compose/haproxy.cfg": [
                *(haproxy, "-V", "-db", "-f", _DEPLOY / "compose" / "haproxy.cfg"),
            ],
        }
        return [
            (name, machine.command([str(part) for part in command]))
            for name, command in commands.items()
        ]

    async def _begin(self, stack: AsyncExitStack, process: Managed) -> None:
        await stack.enter_async_context(self._running(process))

    @asynccontextmanager
    async def _running(self, process: Managed) -> AsyncIterator[None]:
        lines: list[str] = []
        process.output = lambda _name, line: lines.append(line)
        try:
            await process.start()
        except NotReadyError as error:
            said = next((line for line in reversed(lines) if line), "")
            raise _NotStartedError(f"{error}: {said[:300]}") from error
        self._found.count("programs as shipped")
        try:
            yield
        finally:
            await process.stop()

    async def _answers(self, name: str) -> None:
        """Ask the proxy on the first machine for a gateway until its first check has succeeded."""
        asking = ["curl", "--silent", "--retry", "20", "--retry-delay", "1", "--retry-all-errors"]
        done = await asyncio.to_thread(self._machines[0].run, *asking, "--fail", _READY)
        if '"ready"' not in done.stdout:
            self._found.faults.append(f"no gateway is found through {name}: {done.stdout[:200]}")


class _NotStartedError(Exception):
    """A program of the shipped files did not become ready."""


def _silent(_name: str, _line: str) -> None:
    return


def check() -> Findings:
    """Run the compose file's services, the units and the chart's brokers, after looking at them."""
    found = Findings()
    said = tools.python("ladder.composition", str(_DEPLOY / "compose.yaml"))
    found.looked_at.update(said["looked_at"])
    found.faults += said["faults"]
    found.missing += machines.missing()
    if found.missing:
        return found
    with _folder() as folder, machines.network("harmonic-vm", ADDRESSES) as namespaces:
        vm = _Vm(found, folder, namespaces)
        vm.verify_units()
        try:
            asyncio.run(vm.start())
            asyncio.run(vm.start_alone())
        except _NotStartedError as error:
            found.faults.append(str(error))
    with _folder() as folder:
        composed.check(found, folder)
    with _folder() as folder:
        chart_brokers.check(found, folder)
    return found
