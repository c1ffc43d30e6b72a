"""The link to the broker: connected, lost, reconnected and closed, with the reason for each."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from nats.errors import Error as NatsError

from harmonic_runtime.bus.connection import (
    CONNECT_TIMEOUT_S,
    MAX_OUTSTANDING_PINGS,
    PING_INTERVAL_S,
    RECONNECT_WAIT_S,
    Arrived,
    BrokerConnection,
)
from harmonic_runtime.observability import table
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.failures import CannotStart
from harmonic_runtime.process.settings import ServiceSettings

#: How long the bus may take to stop: what is under way is handled, what is sent is written.
STOP_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 1.0
#: How long an attempt to connect that was cancelled may take to end before it is cancelled again.
CANCELLED_AGAIN_S = 0.1
#: OpenSSL's word for a certificate of an authority that is not trusted, ...
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
#: ... and the broker's for a subject that a user may not hear.
_DENIED = "permissions violation for subscription"


@dataclass(frozen=True, slots=True)
class LinkEvents:
    """What a link tells its owner: all of one read was handed over; it was lost, found, closed."""

    read: Callable[[], None]
    lost: Callable[[], None]
    found: Callable[[], None]
    closed: Callable[[], None]


class Link:
    """The connection, over its whole life.

    It is ``ready`` from when the broker knows all subscriptions until the connection is lost,
    and again after it reconnected. It reconnects by itself, for ever.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        arrived: Arrived,
        events: LinkEvents,
        *,
        log: BoundLogger,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._events = events
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._lost_at = self._loop.time()
        self._stopping = False
        self._last_error = ""
        self._last_refusal = ""
        self.ready = False
        self.connection = BrokerConnection(arrived, events.read, self._abandoned)
        self._reconnects = metrics.counter(table.BUS_RECONNECTS)
        self._errors = metrics.counter(table.BUS_ERRORS)

    async def connect(self, name: str, timeout_s: float) -> None:
        """Connect, and go on trying until it succeeds; raise ``TimeoutError`` after so long."""
        connecting = asyncio.ensure_future(self._connect(name))
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.wait({connecting})
        finally:
            # An attempt that fails in the turn of its cancellation passes it over, and the next
            # one begins: ``asyncio.wait_for`` does so before Python 3.12.
            while not connecting.done():
                connecting.cancel()
                await asyncio.wait({connecting}, timeout=CANCELLED_AGAIN_S)
            why_not = None if connecting.cancelled() else connecting.exception()
        if why_not is not None:
            raise why_not

    async def _connect(self, name: str) -> None:
        settings = self._settings
        user, password = _user_of(settings)
        await self.connection.connect(
            servers=[url.strip() for url in settings.nats_url.split(",")],
            name=name,
            user=user,
            password=password,
            tls=tls_context(settings),
            inbox_prefix=settings.inbox_prefix,
            error_cb=self._error,
            disconnected_cb=self._disconnected,
            reconnected_cb=self._reconnected,
            closed_cb=self._closed,
            connect_timeout=CONNECT_TIMEOUT_S,
            reconnect_time_wait=RECONNECT_WAIT_S,  # type: ignore[arg-type]
            max_reconnect_attempts=-1,
            ping_interval=PING_INTERVAL_S,
            max_outstanding_pings=MAX_OUTSTANDING_PINGS,
            drain_timeout=int(STOP_TIMEOUT_S),
        )

    def use_credentials(self, settings: ServiceSettings) -> None:
        """Show the broker these credentials from the next connection on.

        Raise ``OSError`` if a certificate cannot be used.
        """
        tls = read_tls(settings)
        if tls is not None:
            self.connection.options["tls"] = tls
        self.connection.options["user"], self.connection.options["password"] = _user_of(settings)

    def why_not(self) -> CannotStart:
        """Why the broker could not be used in time."""
        why = self._last_refusal or self._last_error or "no answer"
        variable = "HARMONIC_NATS_CA_FILE" if _UNTRUSTED in why else "HARMONIC_NATS_URL"
        return CannotStart(
            f"NATS at {self._settings.nats_url} cannot be used ({why}): see {variable}."
        )

    def check_heard(self) -> None:
        """Raise :class:`CannotStart` if the broker denies this process its answers.

        It has said so by the time that it answers the ping after the subscription.
        """
        if _DENIED in self._last_refusal.lower():
            raise CannotStart(
                f"NATS at {self._settings.nats_url} lets this process hear no answers"
                f" ({self._last_refusal}): see HARMONIC_NATS_INBOX_PREFIX and HARMONIC_NATS_USER."
            )

    def established(self, name: str) -> None:
        """The broker answers: what was wrong before does not matter any more."""
        self._last_error = ""
        self._log.info("bus_connected", bus=name)

    def stopping(self) -> None:
        """Note that the end of the connection is wanted from now on."""
        self._stopping = True

    async def close(self) -> None:
        """Close the connection, whatever state it is in."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self.connection.close()

    async def _error(self, error: Exception) -> None:
        self._errors.inc()
        text = f"{type(error).__name__}: {error}"
        if isinstance(error, NatsError):
            # The broker's own word: the reset of the connection that follows says less.
            self._last_refusal = text
        # While the broker is away, the same error comes four times a second.
        if text != self._last_error:
            self._last_error = text
            self._log.warning("bus_error", error=text)

    async def _disconnected(self) -> None:
        if self._stopping:
            return
        self.ready = False
        self._lost_at = self._loop.time()
        self._log.warning("bus_lost")
        self._events.lost()

    async def _reconnected(self) -> None:
        self.ready = True
        self._last_error = ""
        self._reconnects.inc()
        self._log.info("bus_found_again", after_s=round(self._loop.time() - self._lost_at, 3))
        self._events.found()

    async def _closed(self) -> None:
        self.ready = False
        if not self._stopping:
            self._log.error("bus_closed", error=self._last_error)
            self._events.closed()

    def _abandoned(self, error: Exception) -> None:
        self._log.error("bus_abandoned", exc_info=error)
        self._events.closed()


def _user_of(settings: ServiceSettings) -> tuple[str | None, str | None]:
    secrets = (settings.nats_user, settings.nats_password)
    user, password = (secret.get_secret_value() if secret else None for secret in secrets)
    return user, password


def tls_context(settings: ServiceSettings) -> ssl.SSLContext | None:
    """How to verify the servers and show oneself; ``None`` leaves it to the servers' URLs.

    Raise :class:`CannotStart` if a file cannot be used.
    """
    try:
        return read_tls(settings)
    except OSError as error:
        raise CannotStart(
            f"The certificates for NATS cannot be used ({error}): see HARMONIC_NATS_CA_FILE,"
            " HARMONIC_NATS_CERT_FILE and HARMONIC_NATS_KEY_FILE."
        ) from error


def read_tls(settings: ServiceSettings) -> ssl.SSLContext | None:
    """The same as :func:`tls_context`; raise ``OSError`` if a file cannot be used."""
    if settings.nats_ca_file is None and settings.nats_cert_file is None:
        return None
    context = ssl.create_default_context(cafile=settings.nats_ca_file)
    if settings.nats_cert_file is not None:
        context.load_cert_chain(settings.nats_cert_file, settings.nats_key_file)
    return context
