"""What the drivers around the cores work with, in the hands of a test: owners, sessions, tasks.

Everything is held by the test: an owner's reply, or the end of a save, comes when it says so.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from gateway.members import Silent
from harmonic_gateway.delivery.meter import DeliveryMeter
from harmonic_gateway.delivery.signals import Signals
from harmonic_gateway.membership.bars import ReadBars, RoomBars
from harmonic_gateway.membership.live import LiveLayer, relay_to
from harmonic_gateway.membership.membership import Membership
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.presence import RoomPresence
from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.state_questions import StateQuestions
from harmonic_gateway.membership.witness import Witness
from harmonic_gateway.owners import Owners
from harmonic_gateway.sockets import Connection, Frame
from harmonic_protocol.envelope import Caller, Reply
from harmonic_protocol.handed import PresenceAsked
from harmonic_protocol.internal import LogPart
from harmonic_protocol.messages.parameters import Parameters
from harmonic_protocol.messages.rooms import RoomJoined
from harmonic_protocol.values import Mode
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.timebase import SharedClock
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.observability.tracing import NoTracer
from harmonic_runtime.process.clock import SystemClock

NOW = "2024-03-21T10:30:00.000Z"
#: Seconds for which the states of users whose connections broke are kept.
KEPT_S = 10.0


@dataclass
class Question:
    """A request that waits for its reply."""

    request: Any
    reply: asyncio.Future[Reply]


class ScriptedOwners:
    """Owners who reply when they are told to."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self._news = asyncio.Event()

    async def ask(
        self, _key: str, _operation: str, request: Any, _caller: Caller, *_: object, **__: object
    ) -> Reply:
        question = Question(request, asyncio.get_running_loop().create_future())
        self.questions.append(question)
        self._news.set()
        return await question.reply

    def begin(
        self, *asked: Any, on_reply: Callable[[Coroutine[Any, Any, Reply]], None], **_: object
    ) -> None:
        on_reply(self.ask(*asked))

    async def asked(self) -> Question:
        """The next question, which is not open any more."""
        while not self.questions:
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), 20)
        return self.questions.pop(0)

    async def reply(self, reply: Reply) -> Any:
        """Reply to the next question; what was asked."""
        question = await self.asked()
        question.reply.set_result(reply)
        return question.request


class KeptSessions:
    """Notes what is saved; ``go`` is cleared while saves take long."""

    def __init__(self) -> None:
        self.saved: list[tuple[list[str], bool, bool]] = []
        self.go = asyncio.Event()
        self.go.set()
        self.begun = asyncio.Event()

    async def save(
        self,
        _session: object,
        memberships: Collection[Membership],
        *,
        ended: bool = False,
        said_goodbye: bool = False,
    ) -> None:
        self.begun.set()
        await self.go.wait()
        rooms = [each.universe_id for each in memberships if each.mode is not None]
        self.saved.append((rooms, ended, said_goodbye))


class Background:
    """Tasks that the test can wait for."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[object]] = []

    def start(self, work: Coroutine[Any, Any, object], *, name: str) -> asyncio.Task[object]:
        task = asyncio.create_task(work, name=name)
        self.tasks.append(task)
        return task

    async def done(self) -> None:
        """Wait until everything that was started has ended."""
        while self.tasks:
            await asyncio.wait_for(self.tasks.pop(0), 20)

    def stop(self) -> None:
        for task in self.tasks:
            task.cancel()


@dataclass
class Told:
    """What clients are told besides the room's frames, by connection."""

    evicted: list[tuple[str, Any]] = field(default_factory=list)
    refused: list[tuple[str, Any]] = field(default_factory=list)
    accepted: list[tuple[str, Any]] = field(default_factory=list)


class NotingAnswers:
    """Notes what would be told."""

    def __init__(self) -> None:
        self.told = Told()

    def evicted(self, connection: Connection, refusal: Any, universe_id: str) -> None:
        assert universe_id == "u"
        self.told.evicted.append((connection.id, refusal))

    def refused(self, connection: Connection, _declared: object, refusal: Any, **_: object) -> None:
        self.told.refused.append((connection.id, refusal))

    def accepted(self, connection: Connection, name: str, *_: object, **__: object) -> None:
        self.told.accepted.append((connection.id, name))


class Spoken(Silent):
    """A connection that notes the names of the events that it is sent."""

    def __init__(self, user: str) -> None:
        super().__init__(user)
        self.heard: list[str] = []
        self.closed = False
        self.session = cast("Session", self)
        self.connection = self
        self.identity = self
        self.user_id = user
        self.caller = Caller(user, user, self.id, "g1")
        self.replaced = False

    def send(self, frame: Frame) -> None:
        self.heard.append(frame._name)

    def send_all(self, frames: Collection[Frame], _elsewhere: str | None = None) -> None:
        self.heard.extend(frame._name for frame in frames)

    def is_closed(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    @property
    def as_session(self) -> Session:
        return cast("Session", self)

    @property
    def as_connection(self) -> Connection:
        return cast("Connection", self)


class ShortHistory:
    """A log of which nothing is left to be read but what the test says."""

    def __init__(self) -> None:
        self.parts: list[LogPart | Exception] = []
        self.asked: list[int] = []
        self.named: list[tuple[str, int | None]] = []
        #: What lay in the queue, and is handled before anything is taken for lost.
        self.waits: list[Callable[[], None]] = []

    async def caught_up(self) -> None:
        for each in self.waits:
            each()

    def left(self, _universe_id: str) -> None:
        """No command waits for a record."""

    def carried_out(self, _names: str, _position: int) -> None:
        """No command waits for a record."""

    async def read(
        self,
        _universe_id: str,
        after_position: int,
        after_record: str = "",
        after_mark: int | None = None,
        **_: object,
    ) -> LogPart:
        self.asked.append(after_position)
        self.named.append((after_record, after_mark))
        part = self.parts.pop(0) if self.parts else LogPart(records=(), complete=True)
        if isinstance(part, Exception):
            raise part
        return part


class Neighbourhood:
    """The gateways that live, and what each answers: an exception is raised."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.answers: dict[str, list[bytes | Exception]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.at_once = self.most_at_once = 0

    def live(self) -> frozenset[str]:
        return frozenset(self.names)

    async def ask(self, gateway_id: str, body: bytes) -> bytes:
        self.asked.append((gateway_id, PresenceAsked.model_validate_json(body).since))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        answers = self.answers.get(gateway_id, [])
        answer = answers.pop(0) if answers else b'{"states":{}}'
        if isinstance(answer, Exception):
            raise answer
        return answer


async def no_bars(_universe_id: str) -> Sequence[bytes]:
    return ()


def live_layer(
    memberships: Memberships,
    bus: Bus,
    tasks: Background,
    *,
    signals: Signals | None = None,
    gateways: Neighbourhood | None = None,
    read_bars: ReadBars = no_bars,
    clock: Any = None,
) -> LiveLayer:
    """What rooms show and nothing stores, without other gateways unless they are given."""
    neighbours = gateways or Neighbourhood()
    questions = StateQuestions(
        bus=bus,
        gateways=cast("Any", neighbours),
        gateway_id="g1",
        ask=neighbours.ask,
        tasks=cast("Any", tasks),
        metrics=Metrics(),
    )
    presence = RoomPresence(memberships, questions, KEPT_S, Metrics())
    own = Signals(relay_to(memberships), bytes_per_s=1_000_000, metrics=Metrics())
    clock = clock or cast("Any", SystemClock())
    bars = RoomBars(
        memberships,
        read_bars,
        clock,
        tasks=cast("Any", tasks),
        metrics=Metrics(),
        log=SampledLog(get_log(), clock),
    )
    return LiveLayer(signals or own, presence, bars, Witness(bus, "g1", memberships))


def as_owners(owners: ScriptedOwners) -> Owners:
    return cast("Owners", owners)


def joined(position: int, *, mode: Mode = "edit", continued: bool | None = None) -> Reply:
    """An owner's reply to who has a seat now."""
    room = RoomJoined(
        universe_id="u",
        participants=(),
        timestamp=NOW,
        mode=mode,
        parameters=Parameters(),
        seq=1,
    )
    result: dict[str, object] = {"room": room.to_wire()}
    if continued is not None:
        result["continued"] = continued
    return Reply(seq=1, position=position, result=result)


def meter() -> DeliveryMeter:
    """A meter that nobody reads."""
    return DeliveryMeter(SharedClock(SystemClock()), NoTracer(), Metrics())
