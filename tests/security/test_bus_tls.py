"""The bus over TLS, where a service is who its certificate says that it is."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from harmonic_runtime.bus.client import Bus
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.failures import CannotStart
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
