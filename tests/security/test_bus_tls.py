"""The bus over TLS, where a service is who its certificate says that it is."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from harmonic_local import bus as bus_users
from harmonic_local.processes import free_port
from harmonic_local.stack import broker
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.failures import CannotStart
from harness.broker import connected, count
from harness.certificates import Authority, Certificate

TLS_CONFIG = bus_users.CONFIG.with_name("tls.conf")


class TlsBroker:
    """A broker that takes certificates for passwords, and its authority."""

    def __init__(self, url: str, authority: Authority) -> None:
        self._url = url
        self.authority = authority

    def opened(
        self,
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
        ca_file = str((trusting or self.authority).ca_file)
        return connected(
            self._url,
            metrics=metrics,
            nats_ca_file=ca_file,
            nats_inbox_prefix="_INBOX.state",
            bus_start_timeout_s=2,
            **own,
        )


@pytest.fixture(scope="module")
async def tls_broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TlsBroker]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder / "authority")
    own = authority.issue("127.0.0.1")
    port = free_port()
    process = broker(
        folder / "jetstream",
        port,
        lambda _name, _line: None,
        config=TLS_CONFIG,
        environment={
            "NATS_CERT_FILE": str(own.cert_file),
            "NATS_KEY_FILE": str(own.key_file),
            "NATS_CA_FILE": str(authority.ca_file),
        },
    )
    await process.start()
    yield TlsBroker(f"tls://127.0.0.1:{port}", authority)
    await process.stop()


async def test_a_certificate_makes_a_service_who_it_is(tls_broker: TlsBroker) -> None:
    metrics = Metrics()
    state = tls_broker.authority.issue("state.harmonic.internal")
    async with tls_broker.opened(state, metrics=metrics) as bus:
        await bus.publish("hu.heads", b"{}")
        await bus.flush()
        assert count(metrics, "bus_errors_total") == 0

        await bus.publish("hu.notes.7.u.r", b"")
        await bus.flush()
        assert count(metrics, "bus_errors_total") == 1


async def test_without_a_certificate_nobody_is_let_in(tls_broker: TlsBroker) -> None:
    with pytest.raises(CannotStart):
        async with tls_broker.opened(None):
            pass


async def test_a_certificate_of_a_name_that_is_no_user_is_not_let_in(
    tls_broker: TlsBroker,
) -> None:
    stranger = tls_broker.authority.issue("stranger.harmonic.internal")
    with pytest.raises(CannotStart):
        async with tls_broker.opened(stranger):
            pass


async def test_a_certificate_of_another_authority_is_not_let_in(
    tls_broker: TlsBroker, tmp_path: Path
) -> None:
    forged = Authority(tmp_path).issue("state.harmonic.internal")
    with pytest.raises(CannotStart):
        async with tls_broker.opened(forged):
            pass


async def test_a_broker_of_another_authority_is_not_trusted(
    tls_broker: TlsBroker, tmp_path: Path
) -> None:
    state = tls_broker.authority.issue("state.harmonic.internal")
    with pytest.raises(CannotStart) as refused:
        async with tls_broker.opened(state, trusting=Authority(tmp_path)):
            pass

    assert "certificate verify failed" in str(refused.value)


async def test_files_that_are_no_certificates_are_told_in_a_sentence(
    tls_broker: TlsBroker, tmp_path: Path
) -> None:
    state = tls_broker.authority.issue("state.harmonic.internal")
    mixed_up = Certificate(state.cert_file, tmp_path / "missing.key")
    with pytest.raises(CannotStart, match="see HARMONIC_NATS_CA_FILE"):
        async with tls_broker.opened(mixed_up):
            pass
