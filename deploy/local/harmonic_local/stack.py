"""The whole product as processes on one machine: a broker and any number of each service."""

import asyncio
import os
import sys
import sysconfig
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harmonic_local import bus
from harmonic_local.processes import Managed, Output, free_port, says_ready


@dataclass(frozen=True)
class StackPlan:
    """What is to run. Ports of 0 are chosen; ``settings`` are for all services.

    ``passwords`` are those of the bus's users.
    """

    data: Path
    jwt_secret: str
    port: int = 0
    gateways: int = 1
    states: int = 1
    musics: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    passwords: Mapping[str, str] = field(default_factory=bus.make_passwords, repr=False)


@dataclass
class Stack:
    """What runs: processes by kind, in the order of their start, and where clients connect.

    ``ops_urls`` are where the services' ``/metrics`` are, by the names of their processes.
    """

    plan: StackPlan
    broker: Managed
    states: list[Managed]
    musics: list[Managed]
    gateways: list[Managed]
    gateway_ports: list[int]
    broker_url: str
    ops_urls: Mapping[str, str]

    @property
    def urls(self) -> list[str]:
        """The gateways' addresses."""
        known = {**os.environ, **self.plan.settings}
        scheme = "https" if "HARMONIC_TLS_CERT_FILE" in known else "http"
        return [f"{scheme}://127.0.0.1:{port}" for port in self.gateway_ports]

    def bus_user(self, user: str) -> dict[str, str]:
        """The settings of a process that is to be a user of the bus."""
        address = {"HARMONIC_NATS_URL": self.broker_url}
        return {**address, **bus.user_environment(user, self.plan.passwords)}

    @property
    def processes(self) -> list[Managed]:
        """All of them, in the order of their start."""
        return [self.broker, *self.states, *self.musics, *self.gateways]


def broker(
    data: Path,
    port: int,
    output: Output,
    name: str = "nats",
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Managed:
    """A nats-server with JetStream that keeps its data in ``data``.

    Without a ``config``, anybody may do anything.
    """
    executable = Path(sysconfig.get_path("scripts")) / "nats-server"
    command = [
        *(str(executable), "--jetstream", "--store_dir", str(data)),
        *("--addr", "127.0.0.1", "--port", str(port), "--name", name),
        *(() if config is None else ("--config", str(config))),
    ]
    return Managed(
        name=name,
        command=command,
        # Its threads would only take the cores from one another, and from the services.
        environment={"GOMAXPROCS": os.environ.get("GOMAXPROCS", "1"), **(environment or {})},
        output=output,
        sign=lambda line: "Server is ready" in line,
    )


def planned(plan: StackPlan, output: Output) -> Stack:
    """The processes of a plan, none of them started."""
    broker_port = free_port()
    broker_url = f"nats://127.0.0.1:{broker_port}"
    shared = {
        "HARMONIC_NATS_URL": broker_url,
        "HARMONIC_LOG_FORMAT": "json",
        **plan.settings,
    }
    ops_urls: dict[str, str] = {}

    def service(kind: str, number: int, **environment: str) -> Managed:
        name, ops_port = f"{kind}-{number}", free_port()
        ops_urls[name] = f"http://127.0.0.1:{ops_port}"
        return Managed(
            name=name,
            command=[sys.executable, "-m", f"harmonic_{kind}"],
            environment={
                **shared,
                **bus.user_environment(kind, plan.passwords),
                "HARMONIC_OPS_PORT": str(ops_port),
                **environment,
            },
            output=output,
            sign=says_ready,
        )

    ports = [plan.port + n if plan.port else free_port() for n in range(plan.gateways)]
    return Stack(
        plan=plan,
        broker=broker(
            plan.data / "jetstream",
            broker_port,
            output,
            config=bus.CONFIG,
            environment=bus.broker_environment(plan.passwords),
        ),
        states=[service("state", n) for n in range(1, plan.states + 1)],
        musics=[service("music", n) for n in range(1, plan.musics + 1)],
        gateways=[
            service(
                "gateway",
                n,
                HARMONIC_PORT=str(port),
                HARMONIC_GATEWAY_NAME=f"g{n}",
                HARMONIC_JWT_SECRET=plan.jwt_secret,
            )
            for n, port in enumerate(ports, start=1)
        ],
        gateway_ports=ports,
        broker_url=broker_url,
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
        await stack.broker.start()
        # The services need one another to be useful, not to start.
        async with asyncio.TaskGroup() as group:
            for process in (*stack.states, *stack.musics, *stack.gateways):
                group.create_task(process.start())
        yield stack
