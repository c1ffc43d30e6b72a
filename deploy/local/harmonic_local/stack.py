"""The whole product as processes on one machine: a broker and any number of each service."""

import asyncio
import os
import sys
import sysconfig
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harmonic_local.processes import Managed, Output, free_port, says_ready


@dataclass(frozen=True)
class StackPlan:
    """What is to run. Ports of 0 are chosen; ``settings`` are for all services."""

    data: Path
    jwt_secret: str
    port: int = 0
    gateways: int = 1
    states: int = 1
    musics: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Stack:
    """What runs: processes by kind, in the order of their start, and where clients connect."""

    plan: StackPlan
    broker: Managed
    states: list[Managed]
    musics: list[Managed]
    gateways: list[Managed]
    gateway_ports: list[int]
    broker_url: str

    @property
    def urls(self) -> list[str]:
        """The gateways' addresses."""
        return [f"http://127.0.0.1:{port}" for port in self.gateway_ports]

    @property
    def processes(self) -> list[Managed]:
        """All of them, in the order of their start."""
        return [self.broker, *self.states, *self.musics, *self.gateways]


def broker(data: Path, port: int, output: Output, name: str = "nats") -> Managed:
    """A nats-server with JetStream that keeps its data in ``data``."""
    executable = Path(sysconfig.get_path("scripts")) / "nats-server"
    command = [
        *(str(executable), "--jetstream", "--store_dir", str(data)),
        *("--addr", "127.0.0.1", "--port", str(port), "--name", name),
    ]
    return Managed(
        name=name,
        command=command,
        # Its threads would only take the cores from one another, and from the services.
        environment={"GOMAXPROCS": os.environ.get("GOMAXPROCS", "1")},
        output=output,
        sign=lambda line: "Server is ready" in line,
    )


def service(name: str, module: str, environment: Mapping[str, str], output: Output) -> Managed:
    """A replica of one of the services."""
    return Managed(
        name=name,
        command=[sys.executable, "-m", module],
        environment=environment,
        output=output,
        sign=says_ready,
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
    ports = [plan.port + n if plan.port else free_port() for n in range(plan.gateways)]
    gateways = [
        service(
            f"gateway-{n}",
            "harmonic_gateway",
            {
                **shared,
                "HARMONIC_PORT": str(port),
                "HARMONIC_GATEWAY_NAME": f"g{n}",
                "HARMONIC_JWT_SECRET": plan.jwt_secret,
            },
            output,
        )
        for n, port in enumerate(ports, start=1)
    ]
    return Stack(
        plan=plan,
        broker=broker(plan.data / "jetstream", broker_port, output),
        states=[
            service(f"state-{n}", "harmonic_state", shared, output)
            for n in range(1, plan.states + 1)
        ],
        musics=[
            service(f"music-{n}", "harmonic_music", shared, output)
            for n in range(1, plan.musics + 1)
        ],
        gateways=gateways,
        gateway_ports=ports,
        broker_url=broker_url,
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
