"""Ten things that go wrong with a running product, each with the alert that must tell of it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chaos.cluster import Cluster
from harmonic_local.processes import Managed
from harmonic_protocol import subjects
from harmonic_protocol.messages.declaration import GLOBAL_RATES
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.jetstream import call
from harness.broker import connected_as
from harness.faults import down
from ladder.stage import STORE_MIB, STREAM_MIB, Stage

CLOCK_OFF_S = 30
CERTIFICATE_DAYS = 5
OTHER_VERSION = "0.0.9"
#: Of the bound that is to be filled up, this share is filled.
FILLED = 0.93
_MIB = 2**20
_FILLER, _FILLED_SUBJECT = "LADDER_FILLER", "ladder.filler"
_FLOOD = "ladder.flood"
#: Messages that a broker will not keep for a client that does not read: more than 64 MiB.
_FLOOD_MESSAGES = 120
_MESSAGE = bytes(900 * 1024)
_SNAPSHOT = bytes(256 * 1024)


@dataclass(frozen=True)
class Fault:
    """What is done, undone after the block, and the alert that tells of it."""

    what: str
    alert: str
    made: Callable[[Stage], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def replica_killed(stage: Stage) -> AsyncIterator[None]:
    """One replica of the music service dies."""
    async with down(stage.stack.musics[1]):
        yield


@asynccontextmanager
async def quorum_lost(stage: Stage) -> AsyncIterator[None]:
    """Two of three brokers die."""
    async with down(*stage.stack.brokers[1:]):
        yield


@asynccontextmanager
async def composers_killed(stage: Stage) -> AsyncIterator[None]:
    """No replica of the music service is left."""
    async with down(*stage.stack.musics):
        yield


@asynccontextmanager
async def limiter_deleted(stage: Stage) -> AsyncIterator[None]:
    """The streams by which gateways count together are gone; a state service sets them up again."""
    async with _admin(stage) as bus:
        for rate in GLOBAL_RATES:
            await call(bus, f"STREAM.DELETE.{subjects.limit_stream(rate)}", {})
        try:
            yield
        finally:
            await _restarted(stage.stack.states[0])


@asynccontextmanager
async def disks_filled(stage: Stage) -> AsyncIterator[None]:
    """A stream of somebody else takes nearly all that brokers may store."""
    config = {"name": _FILLER, "subjects": [_FILLED_SUBJECT], "num_replicas": 3}
    async with _admin(stage) as bus:
        await call(bus, f"STREAM.CREATE.{_FILLER}", config)
        try:
            for _ in range(int(FILLED * STORE_MIB * _MIB / len(_MESSAGE))):
                await bus.request(_FILLED_SUBJECT, _MESSAGE, timeout_s=20)
            yield
        finally:
            await call(bus, f"STREAM.DELETE.{_FILLER}", {})


@asynccontextmanager
async def snapshots_filled(stage: Stage) -> AsyncIterator[None]:
    """The stream of snapshots nearly reaches its bound."""
    async with _admin(stage) as bus:
        for number in range(int(FILLED * STREAM_MIB * _MIB / len(_SNAPSHOT))):
            await bus.request(f"hu.snapshot.ladder.{number}", _SNAPSHOT, timeout_s=20)
        try:
            yield
        finally:
            junk = {"filter": "hu.snapshot.ladder.*"}
            await call(bus, f"STREAM.PURGE.{subjects.SNAPSHOT_STREAM}", junk)


@asynccontextmanager
async def clock_off(stage: Stage) -> AsyncIterator[None]:
    """A gateway's host has another time than the others."""
    gateway = stage.stack.gateways[1]
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))  # noqa: ASYNC240 -- a look
    fake = [
        *("env", f"LD_PRELOAD={library}", f"FAKETIME=+{CLOCK_OFF_S}s"),
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ]
    async with _run_as(gateway, command=[*fake, *gateway.command]):
        yield


@asynccontextmanager
async def certificate_ends(stage: Stage) -> AsyncIterator[None]:
    """What gateways show their clients ends in some days."""
    _show_clients(stage, datetime.now(UTC) + timedelta(days=CERTIFICATE_DAYS))
    try:
        yield
    finally:
        _show_clients(stage, None)


@asynccontextmanager
async def reader_hangs(stage: Stage) -> AsyncIterator[None]:
    """A client of the brokers, of somebody else, reads nothing of what it has asked for."""
    host, port = stage.stack.broker_urls[0].removeprefix("nats://").split(":")
    password = stage.stack.plan.passwords["admin"]
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    try:
        await reader.readline()
        writer.write(
            f'CONNECT {{"verbose":false,"user":"admin","pass":"{password}"}}\r\n'
            f"SUB {_FLOOD} 1\r\nPING\r\n".encode()
        )
        # The broker has both once it answers; nothing is read after that.
        while await reader.readline() != b"PONG\r\n":
            pass
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with _admin(stage) as bus:
            for _ in range(_FLOOD_MESSAGES):
                await bus.publish(_FLOOD, _MESSAGE)
                await bus.flush()
            yield
    finally:
        writer.transport.abort()


@asynccontextmanager
async def other_version(stage: Stage) -> AsyncIterator[None]:
    """A replica of the state service is of another release than the other one."""
    folder = stage.folder / "other"
    told = folder / f"harmonic_state-{OTHER_VERSION}.dist-info" / "METADATA"
    told.parent.mkdir(parents=True)
    told.write_text(f"Metadata-Version: 2.1\nName: harmonic-state\nVersion: {OTHER_VERSION}\n")
    replica = stage.stack.states[1]
    async with _run_as(replica, environment={**replica.environment, "PYTHONPATH": str(folder)}):
        yield


FAULTS = (
    Fault("a replica is killed", "HarmonicReplicaDown", replica_killed),
    Fault("two of three brokers are killed", "HarmonicNoQuorum", quorum_lost),
    Fault("the limiter's streams are deleted", "HarmonicLimiterAway", limiter_deleted),
    Fault("brokers' disks fill up", "HarmonicBrokerDiskFillsUp", disks_filled),
    Fault("the stream of snapshots fills up", "HarmonicStreamFillsUp", snapshots_filled),
    Fault("no music service is left", "HarmonicMusicWaits", composers_killed),
    Fault("a gateway's clock is off", "HarmonicClockSkew", clock_off),
    Fault("the clients' certificate ends soon", "HarmonicCertificateEnds", certificate_ends),
    Fault("a reader of the bus hangs", "HarmonicSlowConsumer", reader_hangs),
    Fault("a replica is of another version", "HarmonicVersionSkew", other_version),
)


@asynccontextmanager
async def _admin(stage: Stage) -> AsyncIterator[Bus]:
    """A connection to brokers that have got over what was done to them before."""
    async with connected_as("admin", stage.stack) as bus:
        await Cluster(stage.stack, bus).healthy()
        yield bus


def _show_clients(stage: Stage, ends: datetime | None) -> None:
    """Replace the gateways' certificate, as one does while they run."""
    issued = stage.authority.issue("127.0.0.1", ends=ends)
    for new, used in ((issued.key_file, stage.key), (issued.cert_file, stage.certificate)):
        beside = used.with_suffix(".new")
        shutil.copy(new, beside)
        beside.rename(used)


async def _restarted(process: Managed) -> None:
    await process.stop()
    await process.start()


@asynccontextmanager
async def _run_as(process: Managed, **changed: object) -> AsyncIterator[None]:
    """Run a process by another command or environment while the block runs."""
    with _altered(process, **changed):
        await _restarted(process)
        yield
    await _restarted(process)


@contextmanager
def _altered(process: Managed, **changed: object) -> Iterator[None]:
    before = {name: getattr(process, name) for name in changed}
    for name, value in changed.items():
        setattr(process, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(process, name, value)
