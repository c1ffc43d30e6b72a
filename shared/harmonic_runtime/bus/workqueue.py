"""Jobs of a work queue: fetched, worked on, and given to another if this replica dies."""

import asyncio
import json
from collections.abc import Callable

from harmonic_runtime.bus.client import Bus, BusTimeout, BusUnavailable
from harmonic_runtime.bus.jetstream import API_PREFIX
from harmonic_runtime.bus.wire import DESCRIPTION, STATUS, STORED_SUBJECT, Message

#: How long the broker may take to confirm that a job is done.
ACK_TIMEOUT_S = 2.0
#: How much later than the request expires its end may be told.
FETCH_SLACK_S = 1.0

#: No messages; the request's time is over.
_NOTHING = frozenset({"404", "408"})


class Job:
    """One job. Whoever does not say within the consumer's ``ack_wait`` that it goes on loses it."""

    __slots__ = ("_bus", "_reply", "is_answer", "payload")

    def __init__(self, bus: Bus, message: Message) -> None:
        #: Whether nobody published it: the broker answered a request with a message that is stored
        #: elsewhere, and was told to send it here.
        self.is_answer = STORED_SUBJECT in message.headers
        self._bus = bus
        self._reply = message.reply
        self.payload = message.payload

    async def ack(self) -> None:
        """It is done, and the broker has confirmed that it knows.

        Raise :class:`BusUnavailable` if it did not: the job may be given out again.
        """
        await self._bus.request(self._reply, b"+ACK", timeout_s=ACK_TIMEOUT_S)

    async def term(self) -> None:
        """It will never be done: it is given to nobody again."""
        await self._bus.publish(self._reply, b"+TERM")

    async def release(self) -> None:
        """It is not done here: it is given to another at once."""
        await self._bus.publish(self._reply, b"-NAK")

    async def in_progress(self) -> None:
        """It goes on: its ``ack_wait`` begins anew."""
        await self._bus.publish(self._reply, b"+WPI")


async def fetch(bus: Bus, stream: str, consumer: str, *, batch: int, expires_s: float) -> list[Job]:
    """Up to ``batch`` jobs, once there are so many or ``expires_s`` are over; see ``Streams``."""
    # Jobs come under their own subject, and so not to the bus's inbox.
    inbox = bus.new_inbox()
    jobs: list[Job] = []
    settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(message: Message) -> None:
        if settled.done():
            return
        # A stored message may have any status line; what is to be acknowledged is a job.
        status = None if message.reply else message.headers.get(STATUS, "")
        if status is None:
            jobs.append(Job(bus, message))
        if len(jobs) == batch or status in _NOTHING:
            settled.set_result(None)
        elif status is not None:
            # It came at once, and so would the next: who fetches in a loop has to pause.
            reason = f"{status} {message.headers.get(DESCRIPTION, '')}".rstrip()
            settled.set_exception(BusUnavailable(f"no jobs from {consumer}: {reason}"))

    def lost() -> None:
        if not settled.done():
            settled.set_exception(BusUnavailable("the broker has forgotten the request"))

    request = json.dumps({"batch": batch, "expires": int(expires_s * 10**9)}).encode()
    subscription = await bus.subscribe(inbox, take)
    undo: Callable[[], None] = bus.on_reconnect(lost)
    try:
        bus.post(f"{API_PREFIX}CONSUMER.MSG.NEXT.{stream}.{consumer}", request, reply=inbox)
        async with asyncio.timeout(expires_s + FETCH_SLACK_S):
            await settled
    except TimeoutError as error:
        raise BusTimeout("the broker did not say that there are no jobs") from error
    finally:
        undo()
        await subscription.close()
    return jobs
