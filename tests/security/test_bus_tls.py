"""The bus over TLS, where a service is who its certificate says that it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harmonic_runtime.bus.client import Bus, open_bus
from harmonic_runtime.bus.credentials import rotated_credentials
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.failures import CannotStart
from harmonic_runtime.process.settings import ServiceSettings
from harness.broker import TlsBroker, connected, count, tls_broker
from harness.certificates import Authority, Certificate


def opened(
    broker: TlsBroker,
    certificate: Certificate | None,
    *,
    trusting: Authority | None = None,
    metrics: Metrics | None = None,
) -> AbstractAsyncContextManager[Bus]:
    """A bus of a process with a certificate, or with none."""
    own = {}
    if certificate is not None:
        own = {
            "nats_cert_file": str(certificate.cert_file),
            "nats_key_file": str(certificate.key_file),
        }
    return connected(
        broker.url,
        metrics=metrics,
        nats_ca_file=str((trusting or broker.authority).ca_file),
        nats_inbox_prefix="_INBOX.state",
        bus_start_timeout_s=2,
        **own,
    )


@pytest.fixture(scope="module")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TlsBroker]:
    async with tls_broker(tmp_path_factory.mktemp("tls")) as running:
        yield running


async def test_a_certificate_makes_a_service_who_it_is(secured: TlsBroker) -> None:
    metrics = Metrics()
    state = secured.authority.issue("state.harmonic.internal")
    async with opened(secured, state, metrics=metrics) as bus:
        await bus.publish("hu.heads", b"{}")
        await bus.flush()
        assert count(metrics, "bus_errors_total") == 0

        await bus.publish("hu.notes.7.u.r", b"")
        await bus.flush()
        assert count(metrics, "bus_errors_total") == 1


async def test_a_broker_whose_certificate_has_ended_keeps_nobody_from_the_others(
    tmp_path: Path,
) -> None:
    """Of eight, half begin with that broker: brokers are tried in an order of chance."""
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    async with (
        tls_broker(tmp_path / "good") as good,
        tls_broker(tmp_path / "ended", authority=good.authority, ends=hour_ago) as ended,
    ):
        state = good.authority.issue("state.harmonic.internal")
        both = replace(good, url=f"{ended.url},{good.url}")

        async def reaches() -> None:
            async with opened(both, state) as bus:
                await bus.flush()

        await asyncio.gather(*(reaches() for _ in range(8)))


async def test_the_end_of_a_connection_is_no_warning_of_asyncio(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with tls_broker(tmp_path) as broker:
        state = broker.authority.issue("state.harmonic.internal")
        async with opened(broker, state) as bus:
            back = asyncio.Event()
            bus.on_reconnect(back.set)
            await broker.process.stop()
            await broker.process.start()
            await back.wait()
    assert [record for record in caplog.records if record.name == "asyncio"] == []


async def test_another_authority_is_trusted_once_its_file_was_replaced(tmp_path: Path) -> None:
    async with tls_broker(tmp_path / "old") as broker:
        first = broker.authority
        own = first.issue("state.harmonic.internal")
        settings = ServiceSettings.model_validate(
            {
                "nats_url": broker.url,
                "nats_inbox_prefix": "_INBOX.state",
                "nats_ca_file": str(first.ca_file),
                "nats_cert_file": str(own.cert_file),
                "nats_key_file": str(own.key_file),
            }
        )
        async with open_bus(
            settings, name="test", log=get_log(), metrics=Metrics(), on_closed=lambda: None
        ) as bus:
            back = asyncio.Event()
            bus.on_reconnect(back.set)
            await broker.process.stop()

            second = Authority(tmp_path / "new")
            replaced = second.issue("state.harmonic.internal")
            for new, used in (
                (second.ca_file, first.ca_file),
                (replaced.cert_file, own.cert_file),
                (replaced.key_file, own.key_file),
            ):
                used.write_bytes(new.read_bytes())
            (files,) = rotated_credentials(settings, bus)
            files.reload()

            shown = second.issue("127.0.0.1")
            changed = {"NATS_CERT_FILE": shown.cert_file, "NATS_KEY_FILE": shown.key_file}
            broker.process.environment = {
                **broker.process.environment,
                **{name: str(path) for name, path in changed.items()},
            }
            await broker.process.start()
            await back.wait()


async def test_without_a_certificate_nobody_is_let_in(secured: TlsBroker) -> None:
    with pytest.raises(CannotStart):
        async with opened(secured, None):
            pass


async def test_a_certificate_of_a_name_that_is_no_user_is_not_let_in(
    secured: TlsBroker,
) -> None:
    stranger = secured.authority.issue("stranger.harmonic.internal")
    with pytest.raises(CannotStart):
        async with opened(secured, stranger):
            pass


async def test_a_certificate_of_another_authority_is_not_let_in(
    secured: TlsBroker, tmp_path: Path
) -> None:
    forged = Authority(tmp_path).issue("state.harmonic.internal")
    with pytest.raises(CannotStart):
        async with opened(secured, forged):
            pass


async def test_a_broker_of_another_authority_is_not_trusted(
    secured: TlsBroker, tmp_path: Path
) -> None:
    state = secured.authority.issue("state.harmonic.internal")
    with pytest.raises(CannotStart) as refused:
        async with opened(secured, state, trusting=Authority(tmp_path)):
            pass

    assert "certificate verify failed" in str(refused.value)


async def test_files_that_are_no_certificates_are_told_in_a_sentence(
    secured: TlsBroker, tmp_path: Path
) -> None:
    state = secured.authority.issue("state.harmonic.internal")
    mixed_up = Certificate(state.cert_file, tmp_path / "missing.key")
    with pytest.raises(CannotStart, match="see HARMONIC_NATS_CA_FILE"):
        async with opened(secured, mixed_up):
            pass
