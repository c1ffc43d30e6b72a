"""The whole product as processes on one machine: brokers and any number of each service."""

import asyncio
import os
import sys
import sysconfig
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harmonic_local import bus
from harmonic_local.processes import Managed, Output, Spawn, execute, free_port, says_ready

_CLUSTER = "harmonic"
_RATES = (
    *("ALLOWED_PARAMETER_UPDATES", "ALLOWED_GENERATIONS", "ALLOWED_JOINS_AND_LEAVES"),
    *("ALLOWED_OPERATIONS", "EVENTS_PER_S", "EVENTS_BURST", "CONNECTS_PER_S", "CONNECTS_BURST"),
    *("FAILED_CALLS_PER_S", "FAILED_CALLS_BURST", "CONNECTIONS_PER_USER"),
)
#: Settings for tests, in which the same users come again and again: limits are for those that set
#: them.
FOR_TESTS: Mapping[str, str] = {
    **{f"HARMONIC_{rate}": "1000000" for rate in _RATES},
    "HARMONIC_UNIVERSES_PER_USER": "10000",
    "HARMONIC_DRAIN_STAGGER_S": "0",
}


def program(_name: str, module: str) -> Sequence[str]:
    """The command that runs a service's module."""
    return [sys.executable, "-m", module]


@dataclass(frozen=True)
class StackPlan:
    """What is to run. Ports of 0 are chosen; ``settings`` are for all services.

    Of three ``brokers``, which are a cluster, each keeps all that is stored. ``command`` says how
    a service is run, from its name and module, and ``spawn`` starts that; ``passwords`` are those
    of the bus's users, whom ``broker_config`` has.
    """

    data: Path
    jwt_secret: str
    port: int = 0
    brokers: int = 1
    gateways: int = 1
    states: int = 1
    musics: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    command: Callable[[str, str], Sequence[str]] = program
    spawn: Spawn = execute
    passwords: Mapping[str, str] = field(default_factory=bus.make_passwords, repr=False)
    broker_config: Path = bus.CONFIG


@dataclass
class Stack:
    """What runs: processes by kind, in the order of their start, and where clients connect.

    ``ops_urls`` are where the services' ``/metrics`` are, by the names of their processes.
    """

    plan: StackPlan
    brokers: list[Managed]
    states: list[Managed]
    musics: list[Managed]
    gateways: list[Managed]
    gateway_ports: list[int]
    broker_urls: list[str]
    ops_urls: Mapping[str, str]

    @property
    def urls(self) -> list[str]:
        """The gateways' addresses."""
        known = {**os.environ, **self.plan.settings}
        scheme = "https" if "HARMONIC_TLS_CERT_FILE" in known else "http"
        return [f"{scheme}://127.0.0.1:{port}" for port in self.gateway_ports]

    def bus_user(self, user: str) -> dict[str, str]:
        """The settings of a process that is to be a user of the bus."""
        address = {"HARMONIC_NATS_URL": ",".join(self.broker_urls)}
        return {**address, **bus.user_environment(user, self.plan.passwords)}

    @property
    def processes(self) -> list[Managed]:
        """All of them, in the order of their start."""
        return [*self.brokers, *self.services]

    @property
    def services(self) -> list[Managed]:
        """The product's own processes."""
        return [*self.states, *self.musics, *self.gateways]


def broker(
    data: Path,
    port: int,
    output: Output,
    name: str = "nats",
    *,
    cluster: Sequence[str] = (),
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Managed:
    """A nats-server with JetStream that keeps its data in ``data``.

    ``cluster`` are the options that make it one of several. Without a ``config``, anybody may
    do anything.
    """
    executable = Path(sysconfig.get_path("scripts")) / "nats-server"
    command = [
        *(str(executable), "--jetstream", "--store_dir", str(data)),
        *("--addr", "127.0.0.1", "--port", str(port), "--name", name),
        *(() if config is None else ("--config", str(config))),
        *cluster,
    ]
    return Managed(
        name=name,
        command=command,
        # Its threads would only take the cores from one another, and from the services.
        environment={"GOMAXPROCS": os.environ.get("GOMAXPROCS", "1"), **(environment or {})},
        output=output,
        sign=lambda line: "Server is ready" in line,
    )


def brokers(plan: StackPlan, ports: Sequence[int], output: Output) -> list[Managed]:
    """One nats-server, or several as a cluster, each with its data in a folder of its own."""
    data, config = plan.data / "jetstream", plan.broker_config
    environment = bus.broker_environment(plan.passwords)
    if len(ports) == 1:
        return [broker(data, ports[0], output, config=config, environment=environment)]
    addresses = [f"nats://127.0.0.1:{free_port()}" for _ in ports]
    return [
        broker(
            data / str(n),
            port,
            output,
            f"nats-{n}",
            cluster=(
                *("--cluster_name", _CLUSTER, "--cluster", address),
                *("--routes", ",".join(addresses)),
            ),
            config=config,
            environment=environment,
        )
        for n, (port, address) in enumerate(zip(ports, addresses, strict=True), start=1)
    ]


def planned(plan: StackPlan, output: Output) -> Stack:
    """The processes of a plan, none of them started."""
    broker_ports = [free_port() for _ in range(plan.brokers)]
    broker_urls = [f"nats://127.0.0.1:{port}" for port in broker_ports]
    shared = {
        "HARMONIC_NATS_URL": ",".join(broker_urls),
        "HARMONIC_STREAM_REPLICAS": str(plan.brokers),
        "HARMONIC_LOG_FORMAT": "json",
        # All replicas here are of one version.
        "HARMONIC_LEASES_ALLOWANCES": "true",
        "HARMONIC_STORES_MODERATION": "true",
        "HARMONIC_STORES_BARS": "true",
        **plan.settings,
    }
    ops_urls: dict[str, str] = {}

    def service(kind: str, number: int, **environment: str) -> Managed:
        name, ops_port = f"{kind}-{number}", free_port()
        ops_urls[name] = f"http://127.0.0.1:{ops_port}"
        return Managed(
            name=name,
            command=plan.command(name, f"harmonic_{kind}"),
            environment={
                **shared,
                **bus.user_environment(kind, plan.passwords),
                "HARMONIC_OPS_PORT": str(ops_port),
                "HARMONIC_INSTANCE": name,
                **environment,
            },
            output=output,
            sign=says_ready,
            spawn=plan.spawn,
        )

    # A secret that stands in a file is not told twice.
    in_file = "HARMONIC_JWT_SECRET_FILE" in plan.settings
    secret = {} if in_file else {"HARMONIC_JWT_SECRET": plan.jwt_secret}
    ports = [plan.port + n if plan.port else free_port() for n in range(plan.gateways)]
    return Stack(
        plan=plan,
        brokers=brokers(plan, broker_ports, output),
        states=[service("state", n) for n in range(1, plan.states + 1)],
        musics=[service("music", n) for n in range(1, plan.musics + 1)],
        gateways=[
            service(
                "gateway",
                n,
                HARMONIC_PORT=str(port),
                **secret,
            )
            for n, port in enumerate(ports, start=1)
        ],
        gateway_ports=ports,
        broker_urls=broker_urls,
        ops_urls=ops_urls,
    )


@asynccontextmanager
async def running(plan: StackPlan, output: Output) -> AsyncIterator[Stack]:
    """A plan's processes, all ready; stopped in reverse at the end.

    Raise :class:`~harmonic_local.processes.NotReadyError` if one does not start.
    """
    stack = planned(plan, output)
    plan.data.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stopping:
        for process in stack.processes:
            stopping.push_async_callback(process.stop)
        # The services need one another to be useful, not to start.
        for together in (stack.brokers, stack.services):
            async with asyncio.TaskGroup() as group:
                for process in together:
                    group.create_task(process.start())
        yield stack
