"""Two of each service and three brokers, people who use them, and all that watches."""

import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from harmonic_local.processes import Managed, free_port
from harmonic_local.stack import Stack
from harmonic_operator.probe import LEAST_EVERY_S
from harness.broker import limited_config
from harness.certificates import Authority
from harness.operator import environment
from harness.world import SECRET, World, started
from ladder import prometheus
from ladder.exporter import exporting
from ladder.prometheus import Prometheus
from ladder.traffic import Traffic, traffic

#: What each broker may store, and what the product's bounded streams may take of it.
STORE_MIB, STREAM_MIB = 192, 8
_MONITOR = re.compile(r"Starting http monitor on (\S+)")


@dataclass(frozen=True)
class Stage:
    """All that runs. ``certificate`` and ``key`` are the files of what clients are shown."""

    folder: Path
    stack: Stack
    world: World
    watcher: Prometheus
    traffic: Traffic
    authority: Authority
    certificate: Path
    key: Path


@asynccontextmanager
async def staged(
    folder: Path, *, send_buffer_bytes: int = 2**20, snapshot_every: int = 256
) -> AsyncIterator[Stage]:
    """Start everything in ``folder``, and stop it after the block."""
    authority = Authority(folder / "authority")
    own = authority.issue("127.0.0.1")
    certificate, key = folder / "clients.crt", folder / "clients.key"
    shutil.copy(own.cert_file, certificate)
    shutil.copy(own.key_file, key)
    logs, bound = folder / "product", str(STREAM_MIB * 2**20)
    async with AsyncExitStack() as opened:
        stack = await opened.enter_async_context(
            started(
                logs,
                brokers=3,
                states=2,
                musics=2,
                broker_config=limited_config(folder / "nats", store_mib=STORE_MIB),
                HARMONIC_TLS_CERT_FILE=str(certificate),
                HARMONIC_TLS_KEY_FILE=str(key),
                HARMONIC_SEND_BUFFER_BYTES=str(send_buffer_bytes),
                HARMONIC_SNAPSHOT_EVERY_RECORDS=str(snapshot_every),
                HARMONIC_SNAPSHOT_STREAM_BYTES=bound,
                HARMONIC_SESSION_STREAM_BYTES=bound,
                HARMONIC_NOTES_STREAM_BYTES=bound,
                HARMONIC_AUDIT_STREAM_BYTES=bound,
            )
        )
        monitors = [_monitor(logs / f"{broker.name}.log") for broker in stack.brokers]
        exported = await opened.enter_async_context(exporting(monitors))
        targets = {
            f"harmonic-{kind}": [
                url.removeprefix("http://")
                for name, url in stack.ops_urls.items()
                if name.startswith(kind)
            ]
            for kind in ("gateway", "state", "music")
        }
        port = free_port()
        targets |= {"harmonic-probe": [f"127.0.0.1:{port}"], "nats": exported}
        watcher = await opened.enter_async_context(
            prometheus.running(folder / "prometheus", targets)
        )
        probe = _probe(stack, port, authority)
        opened.push_async_callback(probe.stop)
        await probe.start()
        # The certificate is of an authority that only this stage knows.
        connector = aiohttp.TCPConnector(limit=0, ssl=False)
        http = await opened.enter_async_context(aiohttp.ClientSession(connector=connector))
        world = World(stack, http)
        people = await opened.enter_async_context(traffic(world))
        yield Stage(folder, stack, world, watcher, people, authority, certificate, key)


def _probe(stack: Stack, port: int, authority: Authority) -> Managed:
    """The permanent probe, with its times divided as those of the rules."""
    urls = [part for url in stack.urls for part in ("--url", url)]
    every = ("--every", str(LEAST_EVERY_S))
    return Managed(
        "probe",
        [sys.executable, "-m", "harmonic_operator", "probe", *urls, *every],
        {
            **environment(stack),
            "HARMONIC_JWT_SECRET": SECRET,
            "HARMONIC_OPS_PORT": str(port),
            "SSL_CERT_FILE": str(authority.ca_file),
        },
        lambda _name, _line: None,
        lambda line: line.startswith("Round 1"),
    )


def _monitor(log: Path) -> Callable[[], str]:
    """Where a broker's monitoring port is, as it last said."""

    def url() -> str:
        return f"http://{_MONITOR.findall(log.read_text())[-1]}"

    return url
