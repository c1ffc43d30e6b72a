"""Which replicas are alive: they announce themselves, and others keep the last announcement.

=====================  ==============================================================
``hu.alive.<service>``  a replica's id: it is alive, or with a header, it leaves
``hu.who.<service>``    asks all replicas to announce themselves now
=====================  ==============================================================

It serves speed and presence, never safety: two processes may disagree for a while.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType

from harmonic_runtime.bus.client import Answer, Bus, BusUnavailable, NoResponders
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.process.ticker import every

ANNOUNCE_INTERVAL_S = 0.5
#: For how long a replica's last word is believed; several announcements may be lost.
TTL_S = 2.0
#: Silence is counted in so many parts of the time to live, and outlasts it by up to one of them.
TICKS_PER_TTL = 4
#: Who is asked by many at once answers them together.
ANSWER_PAUSE_S = 0.02
#: How long a start waits for the first word of a replica, and then for those of others.
FIRST_WORD_TIMEOUT_S = 0.5
OTHERS_PAUSE_S = 0.05
#: More replicas of a service than this are none that we know how to run.
MAX_REPLICAS = 1000

#: A replica says no more than that it lives.
NO_FACTS: Mapping[str, str] = MappingProxyType({})

_LEAVING = "Leaving"
_REPLICA_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _alive(service: str) -> str:
    return f"hu.alive.{service}"


def _who(service: str) -> str:
    return f"hu.who.{service}"


@asynccontextmanager
async def announce(
    bus: Bus,
    *,
    service: str,
    replica_id: str,
    interval_s: float = ANNOUNCE_INTERVAL_S,
    farewell: bool = True,
    facts: Mapping[str, str] = NO_FACTS,
) -> AsyncIterator[None]:
    """Announce the replica while the block runs, and at its end that it leaves.

    Without a ``farewell``, others take it for alive until its time to live is over. ``facts`` are
    announced with it, as headers.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.TimerHandle | None = None

    def say() -> None:
        nonlocal answer
        if answer is not None:
            answer.cancel()
            answer = None
        # Without the bus, it is said once that is back.
        with suppress(BusUnavailable):
            bus.post(_alive(service), replica_id.encode(), headers=facts)

    def asked(_message: Message) -> None:
        nonlocal answer
        if answer is None:
            answer = loop.call_later(ANSWER_PAUSE_S, say)

    subscription = await bus.subscribe(_who(service), asked)
    undo = bus.on_reconnect(say)
    try:
        with every(interval_s, say):
            say()
            yield
    finally:
        undo()
        await subscription.close()
        if answer is not None:
            answer.cancel()
        # Without the bus, nobody counts on this replica for longer than its time to live.
        with suppress(BusUnavailable):
            if farewell:
                bus.post(_alive(service), replica_id.encode(), headers={_LEAVING: "yes"})


class Directory:
    """The replicas of a service that are alive, as far as is known here. Made by :func:`watch`.

    Silence is counted in ticks, and only while the broker answers: an announcement of any replica,
    or its own answer that there is none. So no outage of the broker, no broker that hangs, and no
    pause of this process makes all replicas look dead.
    """

    def __init__(self, bus: Bus, service: str, *, ttl_s: float, ticks: int) -> None:
        self._bus = bus
        self._service = service
        self._ticks = ticks
        #: How often silence is counted.
        self.tick_s = ttl_s / ticks
        self._ticks_left: dict[str, int] = {}
        self._facts: dict[str, Mapping[str, str]] = {}
        self._live: frozenset[str] = frozenset()
        self._heard = False
        self._tick_is_due = False
        self._question = ""
        self._news = asyncio.Event()
        self._change = asyncio.Event()

    def live(self) -> frozenset[str]:
        """The replicas that are alive: the same object until that changes."""
        return self._live

    def fact(self, replica: str, name: str) -> str | None:
        """The fact of that name that a live replica announced, if it did."""
        return self._facts.get(replica, NO_FACTS).get(name)

    async def news(self, timeout_s: float) -> None:
        """Return at the next announcement of a replica, or after ``timeout_s``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._news.wait()

    async def change(self, known: frozenset[str], timeout_s: float) -> None:
        """Return once the live replicas differ from ``known``, or after ``timeout_s``."""
        if self._live is known:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._change.wait()

    async def look_around(self) -> None:
        """Ask all replicas to announce themselves, and wait a little for answers."""
        self._ask()
        await self.news(FIRST_WORD_TIMEOUT_S)
        if self._ticks_left:
            await asyncio.sleep(OTHERS_PAUSE_S)

    def hear(self, message: Message) -> None:
        """Take a replica's announcement."""
        replica = message.payload.decode()
        if not _REPLICA_ID.fullmatch(replica):
            raise ValueError("a replica's id must be a word")
        self._sign_of_life()
        if _LEAVING in message.headers:
            self._ticks_left.pop(replica, None)
        elif replica in self._ticks_left or len(self._ticks_left) < MAX_REPLICAS:
            self._ticks_left[replica] = self._ticks + 1
            self._facts[replica] = message.headers
        else:
            raise ValueError(f"more than {MAX_REPLICAS} replicas of {self._service}")
        self._refresh()

    def tick(self) -> None:
        """Count silence, or ask the silent replicas."""
        heard, self._heard = self._heard, False
        if heard and self._bus.connected:
            self._count()
        else:
            self._tick_is_due = self._ask()

    def start_over(self) -> None:
        """Give every replica its full time to live again, after the bus was away."""
        self._tick_is_due = False
        self._ticks_left = dict.fromkeys(self._ticks_left, self._ticks + 1)
        self._ask()

    def close(self) -> None:
        """Ignore further answers."""
        self._bus.forget(self._question)

    def _ask(self) -> bool:
        """Ask all replicas, if there is a bus."""
        self._bus.forget(self._question)
        try:
            self._question = self._bus.ask(
                _who(self._service), b"", timeout_s=self.tick_s, on_answer=self._answered
            )
        except BusUnavailable:
            return False
        return True

    def _answered(self, answer: Answer) -> None:
        # Replicas answer to everybody; only the broker answers a question itself.
        if isinstance(answer, NoResponders):
            self._sign_of_life()

    def _sign_of_life(self) -> None:
        self._bus.forget(self._question)
        self._heard = True
        if self._tick_is_due:
            self._tick_is_due = False
            self._count()
        self._news.set()
        self._news = asyncio.Event()

    def _count(self) -> None:
        self._ticks_left = {
            replica: left - 1 for replica, left in self._ticks_left.items() if left > 1
        }
        self._refresh()

    def _refresh(self) -> None:
        if self._ticks_left.keys() != self._live:
            self._live = frozenset(self._ticks_left)
            self._facts = {each: self._facts[each] for each in self._live}
            self._change.set()
            self._change = asyncio.Event()


@asynccontextmanager
async def watch(
    bus: Bus, service: str, *, ttl_s: float = TTL_S, ticks: int = TICKS_PER_TTL
) -> AsyncIterator[Directory]:
    """Know who is alive while the block runs: at its start already, if they answer at once."""
    directory = Directory(bus, service, ttl_s=ttl_s, ticks=ticks)
    subscription = await bus.subscribe(_alive(service), directory.hear)
    undo = bus.on_reconnect(directory.start_over)
    try:
        with every(directory.tick_s, directory.tick):
            await directory.look_around()
            yield directory
    finally:
        undo()
        directory.close()
        await subscription.close()
