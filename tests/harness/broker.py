"""A real broker by itself, connections to it as processes have them, and its failures."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from harmonic_local.bus import CONFIG, user_environment
from harmonic_local.processes import Managed, free_port
from harmonic_local.stack import Stack, broker
from harmonic_runtime.bus.client import AnswerLost, Bus, open_bus
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.settings import ServiceSettings
from harness.certificates import Authority


@dataclass(frozen=True)
class Broker:
    """A nats-server, and where it listens."""

    process: Managed
    url: str


OpenBus: TypeAlias = Callable[..., AbstractAsyncContextManager[Bus]]


@asynccontextmanager
async def running_broker(data: Path) -> AsyncIterator[Broker]:
    port = free_port()
    process = broker(data, port, lambda _name, _line: None)
    await process.start()
    try:
        yield Broker(process, f"nats://127.0.0.1:{port}")
    finally:
        await process.stop()


@dataclass(frozen=True)
class TlsBroker:
    """A broker that takes certificates for passwords, and their authority."""

    process: Managed
    url: str
    authority: Authority


def limited_config(folder: Path, *, store_mib: int, monitor: int = -1) -> Path:
    """The configuration of ``make run``, with a bound on what is stored and a monitoring port."""
    folder.mkdir(parents=True)
    for path in CONFIG.parent.glob("*.conf"):
        shutil.copy(path, folder)
    config = folder / "limited.conf"
    config.write_text(
        "include ./users-by-password.conf\n"
        f'http: "127.0.0.1:{monitor}"\n'
        f"jetstream {{ max_file_store: {store_mib}MB }}\n"
    )
    return config


@asynccontextmanager
async def tls_broker(
    folder: Path, *, authority: Authority | None = None, ends: datetime | None = None
) -> AsyncIterator[TlsBroker]:
    """A broker over TLS, with its files in ``folder``; its certificate ends, if that is given."""
    authority = authority or Authority(folder / "authority")
    own = authority.issue("127.0.0.1", ends=ends)
    port = free_port()
    process = broker(
        folder / "jetstream",
        port,
        lambda _name, _line: None,
        config=CONFIG.with_name("tls.conf"),
        environment={
            "NATS_CERT_FILE": str(own.cert_file),
            "NATS_KEY_FILE": str(own.key_file),
            "NATS_CA_FILE": str(authority.ca_file),
        },
    )
    await process.start()
    try:
        yield TlsBroker(process, f"tls://127.0.0.1:{port}", authority)
    finally:
        await process.stop()


@asynccontextmanager
async def connected(
    url: str, *, metrics: Metrics | None = None, **settings: object
) -> AsyncIterator[Bus]:
    """A bus of its own, as a process has one."""
    async with open_bus(
        ServiceSettings.model_validate({"nats_url": url, "bus_start_timeout_s": 5, **settings}),
        name="test",
        log=get_log(),
        metrics=metrics or Metrics(),
        on_closed=lambda: None,
    ) as bus:
        yield bus


def connected_as(
    user: str, stack: Stack, *, metrics: Metrics | None = None
) -> AbstractAsyncContextManager[Bus]:
    """A bus of its own, as a user of a running product's broker."""
    return connected(
        ",".join(stack.broker_urls), metrics=metrics, **credentials(user, stack.plan.passwords)
    )


def credentials(user: str, passwords: Mapping[str, str]) -> dict[str, Any]:
    """The settings of a process that is this user of the bus."""
    environment = user_environment(user, passwords)
    known = {name.removeprefix("HARMONIC_").lower(): value for name, value in environment.items()}
    # A service's own settings have its own prefix.
    return {"nats_inbox_prefix": f"_INBOX.{user}", **known}


@asynccontextmanager
async def outage(running: Broker, connection: Bus) -> AsyncIterator[None]:
    """The broker is away while the block runs; after it, the bus has found it again."""
    back = asyncio.Event()
    undo = connection.on_reconnect(back.set)
    silence = await connection.subscribe("silence", lambda _message: None)
    lost, _ = await asyncio.gather(
        connection.request("silence", b"", timeout_s=30),
        running.process.stop(),
        return_exceptions=True,
    )
    assert isinstance(lost, AnswerLost)
    yield
    await running.process.start()
    await back.wait()
    undo()
    await silence.close()


def freeze(running: Broker) -> None:
    """Stop the broker's process where it is, and return when it has stopped."""
    running.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, running.process.pid, os.WSTOPPED)


@contextmanager
def frozen(running: Broker) -> Iterator[None]:
    """The broker hangs while the block runs: connected, and silent."""
    freeze(running)
    try:
        yield
    finally:
        running.process.send_signal(signal.SIGCONT)


def count(metrics: Metrics, name: str) -> float:
    """What a counter shows, over all its labels."""
    lines = metrics.render()[0].decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"harmonic_{name}"))
