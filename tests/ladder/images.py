"""Rung 6: the images are small, the same when built again, and run where little is allowed."""

import asyncio
import tempfile
from pathlib import Path

from harmonic_local.processes import Managed, NotReadyError
from harmonic_local.stack import broker
from harmonic_release import sbom
from harmonic_release.images import IMAGES, Builder, BuiltVersion, NotBuilt, digests, size
from harness.world import SECRET
from ladder import containers, machines, tools
from ladder.machines import Machine
from ladder.programs import Program
from ladder.rungs import Findings

#: What builds and runs them.
PROGRAMS = (
    Program("buildah", "buildah"),
    Program("mmdebstrap", "mmdebstrap"),
    *containers.PROGRAMS,
    *machines.PROGRAMS,
)
MOST_BYTES = 130_000_000
MOST_CPU_S = 1.5
CLIENTS = 2000
HEALTHY_WITHIN_S = 60
USER = "10001"
#: What must not be in an image.
FOREIGN = {
    "gateway": ("numpy", "mido"),
    "state": ("socketio", "numpy", "mido"),
    "music": ("socketio",),
    "operator": ("numpy", "mido"),
}
SERVICES = ("state", "music", "gateway")
_FOLDER = tools.CACHE / "images"
_RELEASE = BuiltVersion("0.0.0", "ladder")
_BROKER_PORT, _PORT = 4222, 8000
_OPS_PORTS = {"gateway": 9100, "state": 9101, "music": 9102}


def _inspect(found: Findings, builder: Builder, again: Builder, service: str) -> Path:
    """Build an image, look into it, and build it again; the archive of it."""
    name = builder.build(service, _RELEASE)
    with builder.mounted(name) as root:
        first, took = digests(root), size(root)
        bill = _FOLDER / f"{service}.cdx.json"
        sbom.write(tools.BIN / "syft", root / sbom.PACKAGES, bill, name, _RELEASE.version)
    found.count("images")
    found.count(f"MB of {service}", round(took / 1_000_000))
    if took > MOST_BYTES:
        found.faults.append(f"{service} takes {took} bytes, more than {MOST_BYTES}")
    present = {package for package, _version in sbom.listed(bill)}
    for package in FOREIGN[service]:
        if (f"{sbom.PACKAGES}/{package}") in first or package in present:
            found.faults.append(f"{service} has {package}")
    locked, listed = sbom.locked(service), sbom.listed(bill)
    found.count("packages listed", len(listed))
    for package, version in sorted(locked ^ listed):
        where = "locked" if (package, version) in locked else "listed"
        found.faults.append(f"{service}: {package} {version} is {where} alone")
    archive = _FOLDER / f"{service}.tar"
    builder.save(name, archive)
    with again.mounted(again.build(service, _RELEASE)) as root:
        second = digests(root)
    found.count("files built twice", len(second))
    differing = [
        path for path in first.keys() | second.keys() if first.get(path) != second.get(path)
    ]
    if differing:
        found.faults.append(f"{service}: {len(differing)} files differ: {sorted(differing)[:3]}")
    return archive


def _environment(service: str) -> dict[str, str]:
    own = {}
    if service == "gateway":
        # All clients come from one address here.
        own = {"HARMONIC_JWT_SECRET": SECRET, "HARMONIC_CONNECTS_BURST": str(2 * CLIENTS)}
    return {
        "HARMONIC_NATS_URL": f"nats://127.0.0.1:{_BROKER_PORT}",
        "HARMONIC_OPS_PORT": str(_OPS_PORTS[service]),
        "HARMONIC_INSTANCE": f"{service}-1",
        "HARMONIC_STREAM_REPLICAS": "1",
        "HARMONIC_LOG_FORMAT": "json",
        **own,
    }


class _Trial:
    """The three services in containers, on a machine with a broker."""

    def __init__(self, found: Findings, machine: Machine, engine: containers.Engine) -> None:
        self._found = found
        self._machine = machine
        self._engine = engine

    async def start(self, service: str) -> Managed:
        """Start a service; what it took until it was ready, and as whom it runs."""
        name = f"harmonic-{service}"
        image = f"localhost/{name}:{_RELEASE.version}"
        lines: list[str] = []
        running = self._engine.container(image, name, _environment(service))
        running.output = lambda _name, line: lines.append(line)
        try:
            await running.start()
        except NotReadyError as error:
            raise NotReadyError(f"{error}: {' '.join(lines[-2:])[:300]}") from error
        process = await self._engine.process(name)
        took_s = process.cpu_s
        self._found.count(f"CPU ms until {service} was ready", round(took_s * 1000))
        if took_s > MOST_CPU_S:
            self._found.faults.append(f"{service} took {took_s:.2f} CPU-s, more than {MOST_CPU_S}")
        if set(process.status("Uid")) != {USER}:
            self._found.faults.append(f"{service} runs as {process.status('Uid')}, not {USER}")
        return running

    async def health(self, service: str) -> None:
        """See that the image's health check finds the service ready."""
        if not await self._engine.healthy(f"harmonic-{service}", HEALTHY_WITHIN_S):
            self._found.faults.append(f"{service} is not healthy by its own check")
        self._found.count("health checks")

    async def crowd(self) -> None:
        """Let the clients in, and see that the gateway is still the same process."""
        process = await self._engine.process("harmonic-gateway")
        python = str(tools.ROOT / ".venv" / "bin" / "python")
        asked = await asyncio.create_subprocess_exec(
            *self._machine.command([python, "-m", "ladder.crowded", str(_PORT), str(CLIENTS)]),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asked.communicate()
        if asked.returncode:
            last = said.decode().strip().splitlines()[-20:]
            self._found.faults.append(f"the clients were not served: {last}")
        if not process.runs:
            self._found.faults.append(f"the gateway did not survive {CLIENTS} connections")
            return
        self._found.count("connections", CLIENTS)
        self._found.count("MiB of the gateway at most", int(process.status("VmHWM")[0]) // 1024)


async def _run(found: Findings, machine: Machine, archives: list[Path], folder: Path) -> None:
    bus = broker(folder / "jetstream", _BROKER_PORT, lambda _name, _line: None)
    bus.command = machine.command(bus.command)
    started: list[Managed] = [bus]
    async with containers.engine(machine, folder) as engine:
        try:
            for archive in archives:
                await engine.load(archive)
            await bus.start()
            trial = _Trial(found, machine, engine)
            for service in SERVICES:
                running = await trial.start(service)
                started.append(running)
            await asyncio.gather(*(trial.health(service) for service in SERVICES))
            await trial.crowd()
        finally:
            for process in reversed(started):
                await process.stop()


def check() -> Findings:
    """Build the images twice, look into them, and run them."""
    found = Findings()
    found.missing += machines.missing()
    if found.missing:
        return found
    builder = Builder(_FOLDER, debian=True)
    again = Builder(_FOLDER, store="again", debian=True)
    try:
        builder.prepare()
        again.prepare()
        archives = [_inspect(found, builder, again, service) for service in IMAGES]
    except NotBuilt as error:
        found.faults.append(str(error))
        return found
    with (
        tempfile.TemporaryDirectory(prefix="ladder-") as name,
        machines.namespace("harmonic-images") as namespace,
    ):
        folder = Path(name)
        try:
            asyncio.run(_run(found, Machine(namespace, {}), archives, folder))
        except (NotReadyError, OSError) as error:
            found.faults.append(str(error))
    return found
