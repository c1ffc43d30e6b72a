"""What brokers show to any connection: that they are there, and their certificates.

A broker with an expired certificate is inspected like any other.
"""

import asyncio
import json
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from harmonic_runtime.observability import table
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.settings import ServiceSettings

#: How long a broker may take to greet and to show its certificate.
GREETING_TIMEOUT_S = 2.0
MAX_GREETING_BYTES = 64 * 1024
#: A cluster has a handful; what others say of more is not believed.
MAX_BROKERS = 64
#: How often services look when the first of the certificates ends.
LOOK_INTERVAL_S = 600.0
_PORT = 4222
#: OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which Python has no name.
_NO_CHECK_TIME = 0x200000


@dataclass(frozen=True, slots=True)
class BrokerGreeting:
    """What the broker at an address shows; ``problem`` says why it shows nothing, if so.

    Its certificate ends at ``ends_s``, in Unix time; ``None`` without TLS. It knows of ``others``.
    """

    address: str
    name: str = ""
    ends_s: float | None = None
    others: tuple[str, ...] = ()
    problem: str | None = None


async def greetings(settings: ServiceSettings) -> list[BrokerGreeting]:
    """What all brokers show: those of the settings, then others that these name.

    Of the others, only those that are reachable from here: a cluster may name its members by
    internal addresses. Raise ``OSError`` if the files of certificates cannot be used.
    """
    tls = _untimely(settings)
    named = [urlsplit(url.strip()) for url in settings.nats_url.split(",")]
    addresses = [f"{url.hostname}:{url.port or _PORT}" for url in named]
    found = await _all(addresses, tls)
    known = {each.name for each in found if each.problem is None}
    others = {other for each in found for other in each.others} - set(addresses)
    for each in await _all(sorted(others), tls):
        if each.problem is None and each.name not in known:
            known.add(each.name)
            found.append(each)
    return found


async def watch_brokers(settings: ServiceSettings, metrics: Metrics) -> None:
    """Show when the first of the brokers' certificates ends, for ever."""
    ends = metrics.gauge(table.BROKER_CERTIFICATE_NOT_AFTER)
    while True:
        with suppress(OSError):
            shown = [each.ends_s for each in await greetings(settings)]
            ends.set(min((each for each in shown if each is not None), default=0.0))
        await asyncio.sleep(LOOK_INTERVAL_S)


async def _all(addresses: Iterable[str], tls: ssl.SSLContext) -> list[BrokerGreeting]:
    asked = [_greeting(address, tls) for address in list(addresses)[:MAX_BROKERS]]
    return list(await asyncio.gather(*asked))


async def _greeting(address: str, tls: ssl.SSLContext) -> BrokerGreeting:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(GREETING_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(
                host.strip("[]"), int(port), limit=MAX_GREETING_BYTES
            )
            try:
                said = _said(await reader.readline())
                ends_s = None
                if said.get("tls_required"):
                    await writer.start_tls(tls, server_hostname=host)
                    shown = writer.get_extra_info("peercert")
                    ends_s = float(ssl.cert_time_to_seconds(shown["notAfter"]))
            finally:
                writer.transport.abort()
    except (OSError, ValueError) as error:
        return BrokerGreeting(address, problem=_why(error))
    others = tuple(map(str, said.get("connect_urls") or ()))
    return BrokerGreeting(address, str(said["server_name"]), ends_s, others)


def _said(line: bytes) -> Mapping[str, Any]:
    """What a broker's first line holds; raise ``ValueError`` if it is no broker's."""
    verb, _, text = line.partition(b" ")
    said = json.loads(text) if verb == b"INFO" else None
    if not isinstance(said, dict) or "server_name" not in said:
        raise ValueError("what answers there is no NATS server")
    return said


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {GREETING_TIMEOUT_S:.0f} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"HARMONIC_NATS_CA_FILE does not prove its certificate: {error.verify_message}"
    return str(error) or type(error).__name__


def _untimely(settings: ServiceSettings) -> ssl.SSLContext:
    """Verifies brokers by their authority alone, regardless of time and name."""
    context = ssl.create_default_context(cafile=settings.nats_ca_file)
    context.check_hostname = False
    context.verify_flags |= _NO_CHECK_TIME
    if settings.nats_cert_file is not None:
        context.load_cert_chain(settings.nats_cert_file, settings.nats_key_file)
    return context
