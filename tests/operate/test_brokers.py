"""What operators are told of brokers: certificates, and disks that are smaller than is reserved."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harmonic_local.processes import free_port
from harmonic_operator.brokers import of_brokers, of_disks, without_room
from harmonic_operator.monitoring import BrokerStore, broker_stores, read_broker_store
from harmonic_operator.settings import OperatorSettings
from harmonic_runtime.bus.greeting import BrokerGreeting, greetings, watch_brokers
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.settings import ServiceSettings
from harness.broker import TlsBroker, count, limited_config, tls_broker
from harness.certificates import Authority
from harness.client import PATIENCE_S
from harness.operator import harmonic
from harness.world import started
from operate.saved import other_brokers

NOW = datetime(2024, 3, 21, 10, 30, tzinfo=UTC)
SOON = NOW + timedelta(days=14)
SHOWS = "The broker nats-1 at 10.0.0.1:4222 shows a certificate that"
MIB = 2**20
_MONITOR = re.compile(r"Starting http monitor on (\S+)")


def shown(ends: datetime | None) -> BrokerGreeting:
    return BrokerGreeting("10.0.0.1:4222", "nats-1", None if ends is None else ends.timestamp())


@pytest.mark.parametrize(
    ("greeting", "says"),
    [
        (shown(None), []),
        (shown(SOON + timedelta(seconds=1)), []),
        (
            shown(NOW + timedelta(days=13)),
            [f"{SHOWS} ends on 2024-04-03 10:30 UTC."],
        ),
        (
            shown(NOW),
            [f"{SHOWS} ended on 2024-03-21 10:30 UTC."],
        ),
        (
            BrokerGreeting("10.0.0.1:4222", problem="no answer within 2 s"),
            ["The broker at 10.0.0.1:4222 cannot be used: no answer within 2 s."],
        ),
    ],
    ids=["no TLS", "long", "soon", "ended", "silent"],
)
def test_a_broker_is_named_by_what_it_shows(greeting: BrokerGreeting, says: list[str]) -> None:
    assert list(of_brokers([greeting], at=NOW, renewed_until=SOON)) == says


def test_a_broker_that_may_store_less_than_is_reserved_is_named() -> None:
    stores = [
        BrokerStore("nats-1", max_bytes=8 * MIB, reserved_bytes=8 * MIB),
        BrokerStore("nats-2", max_bytes=4 * MIB, reserved_bytes=8 * MIB),
        BrokerStore("http://nats-3:8222", problem="no answer"),
    ]

    small, silent = of_disks(stores)
    assert small == (
        "The streams of broker nats-2 reserve 8.0 MiB, and it may store 4.0 MiB (max_file_store):"
        " it is full before they are, and they cannot be restored to it."
    )
    assert silent == "The broker's monitoring port http://nats-3:8222 does not tell: no answer."
    assert list(without_room(stores, 0)) == [
        "the broker nats-2 has 0 B for them, of 4.0 MiB (max_file_store)"
    ]


@dataclass(frozen=True)
class Cluster:
    """Two brokers of one authority: the certificate of the second ended an hour ago."""

    good: TlsBroker
    ended: TlsBroker
    variables: Mapping[str, str]

    def settings(self, *brokers: TlsBroker) -> dict[str, str]:
        return {**self.variables, "HARMONIC_NATS_URL": ",".join(each.url for each in brokers)}


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[Cluster]:
    authority = Authority(folder / "authority")
    operator = authority.issue("operator.harmonic.internal")
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    async with (
        tls_broker(folder / "good", authority=authority) as good,
        tls_broker(folder / "ended", authority=authority, ends=hour_ago) as ended,
    ):
        yield Cluster(
            good,
            ended,
            {
                "HARMONIC_NATS_CA_FILE": str(authority.ca_file),
                "HARMONIC_NATS_CERT_FILE": str(operator.cert_file),
                "HARMONIC_NATS_KEY_FILE": str(operator.key_file),
            },
        )


async def test_each_broker_whose_certificate_has_ended_is_named_whatever_the_others_do(
    tmp_path: Path,
) -> None:
    async with cluster(tmp_path) as brokers:
        port = brokers.ended.url.rpartition(":")[2]
        said = f"at 127.0.0.1:{port} shows a certificate that ended on"

        ran = await harmonic(
            None, "status", "--json", **brokers.settings(brokers.ended, brokers.good)
        )
        assert ran.status == 1
        assert [each for each in ran.json["problems"] if "certificate" in each] == [
            each for each in ran.json["problems"] if said in each
        ]
        assert any(said in each for each in ran.json["problems"])
        # It went on: the other one was asked for the streams.
        assert ran.json["streams"]

        gone = f"tls://127.0.0.1:{free_port()}"
        settings = brokers.settings(brokers.ended)
        settings["HARMONIC_NATS_URL"] += f",{gone}"
        ran = await harmonic(None, "status", **settings)
        assert ran.status == 3
        assert said in ran.errors
        assert f"The broker at {gone.removeprefix('tls://')} cannot be used: " in ran.errors


async def test_services_tell_when_the_first_of_the_brokers_certificates_ends(
    tmp_path: Path,
) -> None:
    async with cluster(tmp_path) as brokers:
        names = {
            name.removeprefix("HARMONIC_").lower(): value
            for name, value in brokers.settings(brokers.good, brokers.ended).items()
        }
        settings = ServiceSettings.model_validate(names)
        ends = {each.ends_s for each in await greetings(settings)}
        metrics = Metrics()
        watching = asyncio.create_task(watch_brokers(settings, metrics))
        told = 0.0
        async with asyncio.timeout(PATIENCE_S):
            # Nobody is told of a metric.
            while True:
                told = count(metrics, "broker_certificate_not_after")
                if told:
                    break
                await asyncio.sleep(0.01)
        watching.cancel()

    assert len(ends) == 2
    assert told == min(each for each in ends if each is not None)


async def test_what_is_no_broker_is_told(tmp_path: Path) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = ServiceSettings(nats_url=f"nats://127.0.0.1:{port}")
        (greeting,) = await greetings(settings)

    assert greeting.problem == "what answers there is no NATS server"
    with pytest.raises(KeyError):
        read_broker_store({"server_name": "nats-1"})


async def test_streams_that_reserve_more_than_brokers_may_store_are_named(tmp_path: Path) -> None:
    """A cluster takes each stream that has room by itself."""
    logs, bound = tmp_path / "logs", str(40 * MIB)
    config = limited_config(tmp_path / "nats", store_mib=64)
    async with started(
        logs,
        brokers=3,
        gateways=0,
        musics=0,
        broker_config=config,
        HARMONIC_SNAPSHOT_STREAM_BYTES=bound,
        HARMONIC_SESSION_STREAM_BYTES=bound,
        HARMONIC_NOTES_STREAM_BYTES=bound,
        HARMONIC_AUDIT_STREAM_BYTES=bound,
    ) as stack:
        monitors = [
            f"http://{_MONITOR.findall((logs / f'{broker.name}.log').read_text())[-1]}"
            for broker in stack.brokers
        ]
        urls = ",".join([*monitors, f"http://127.0.0.1:{free_port()}"])
        stores = await broker_stores(OperatorSettings(nats_monitor_urls=urls))
        ran = await harmonic(stack, "status", HARMONIC_NATS_MONITOR_URLS=urls)

    assert [(each.name, each.max_bytes) for each in stores[:3]] == [
        (f"nats-{number}", 64 * MIB) for number in (1, 2, 3)
    ]
    assert stores[3].problem
    assert ran.status == 1
    for number in (1, 2, 3):
        assert f"The streams of broker nats-{number} reserve 160.0 MiB" in ran.errors


async def test_nothing_is_restored_where_a_broker_has_no_room_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    async with AsyncExitStack() as stopping:
        stack = await stopping.enter_async_context(
            started(tmp_path / "first", gateways=0, musics=0)
        )
        assert (await harmonic(stack, "backup", str(folder))).status == 0
    monitor = free_port()
    config = limited_config(tmp_path / "nats", store_mib=64, monitor=monitor)
    async with other_brokers(tmp_path / "second", broker_config=config) as stack:
        url = {"HARMONIC_NATS_MONITOR_URLS": f"http://127.0.0.1:{monitor}"}
        ran = await harmonic(stack, "restore", str(folder), **url)
        streams = (await harmonic(stack, "status", "--json")).json["streams"]

    assert ran.status == 1
    assert "the broker nats has 64.0 MiB for them, of 64.0 MiB (max_file_store)" in ran.errors
    assert "Nothing was changed." in ran.errors
    assert all(each["problem"] == "is missing" for each in streams)
