"""Interest in a subject, until it is closed."""

from typing import Protocol

from harmonic_runtime.bus.connection import BrokerConnection, Interest
from harmonic_runtime.bus.wire import Handler


class SubscribedBus(Protocol):
    """The bus that a subscription is at."""

    connection: BrokerConnection

    @property
    def connected(self) -> bool:
        """Whether the broker is there, and knows of all subscriptions."""

    async def flush(self) -> None:
        """Return when the broker has taken all that was sent before."""

    async def handled(self) -> None:
        """Return when the handlers were called for all that has come in before."""


class Subscription(Interest):
    """Interest in a subject."""

    __slots__ = ("_bus",)

    def __init__(
        self,
        bus: SubscribedBus,
        sid: int,
        subject: str,
        queue: str,
        handler: Handler,
        *,
        republished: bool,
    ) -> None:
        super().__init__(sid, subject, queue, handler, republished=republished)
        self._bus = bus

    async def close(self) -> None:
        """Unsubscribe at once: the handler is not called any more."""
        self.is_open = False
        self._bus.connection.remove_interest(self)

    async def drain(self) -> None:
        """Unsubscribe, and return when all that was under way has been handled.

        Without a connection nothing is under way. Raise ``BusUnavailable`` if the broker
        does not answer in time; the subscription is closed all the same.
        """
        self._bus.connection.stop_interest(self)
        try:
            if self._bus.connected:
                await self._bus.flush()
            await self._bus.handled()
        finally:
            await self.close()
