"""Carrying out one connection's commands: one after the other, whatever comes of each."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.drivers import Background
from harmonic_gateway.commands.mailbox import Mailbox, MailboxLimits, Queued
from harmonic_gateway.commands.worker import Worker
from harmonic_gateway.limits.allowances import Allowance, limited
from harmonic_gateway.limits.costs import OWNERS
from harmonic_protocol.envelope import NO_TRACE, Reply
from harmonic_protocol.messages.parameters import PHYSICS
from harmonic_protocol.refusals import Code, Refused
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.tracing import NoTracer

CHANGE = PHYSICS.command.model_validate({"universeId": "u", "parameters": {"gravity": 1}})
LIMITED = limited(Allowance(1), 1)
LIMITS = MailboxLimits(100, 10_000, 60.0, Allowance(1))


class Desk:
    """A worker whose limiter and owner answer when, and as, the test says."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.over: Refused | None = None
        self.asked: list[Callable[[Any], None]] = []
        self.charged: list[tuple[float, float]] = []
        self.mailbox, self.tasks = Mailbox(), Background()
        self.done = asyncio.Event()
        some = cast("Any", self)
        self.worker = Worker(
            commands=cast("Any", SimpleNamespace(begin=self.ask, finish=self.finish)),
            refresh=some,
            permission=lambda *_: None,
            allowances=cast("Any", SimpleNamespace(begin=self.count)),
            answers=some,
            tasks=cast("Any", self.tasks),
            clock=cast("Any", SimpleNamespace(monotonic=lambda: 0.0)),
            log=get_log(),
        )

    def count(self, _user: str, _rate: object, on_outcome: Callable[[Any], None]) -> None:
        on_outcome(self.over)

    def ask(self, *asked: Any) -> None:
        self.asked.append(asked[-1])

    def finish(self, _session: object, _command: object, queued: Queued, outcome: Reply) -> None:
        if outcome.seq is None:
            raise RuntimeError("a fault")
        self.told.append(f"{queued.name} {outcome.seq}")

    def took(self, *_: object, **__: object) -> None:
        """It was carried out."""

    def refused(
        self, _connection: object, _declared: object, why: Refused, *_: object, **__: object
    ) -> None:
        self.told.append(why.code.value)

    def start(self, *names: str) -> None:
        for name in names:
            queued = Queued(
                *(name, CHANGE, 60.0, None, 1, "u", None, 0.0, NO_TRACE),
                NoTracer().begin(name),
            )
            assert self.mailbox.put(queued, LIMITS)
        pace = SimpleNamespace(caused=lambda *cost: self.charged.append(cost[:2]))
        connection = SimpleNamespace(pace=pace)
        session = SimpleNamespace(identity=SimpleNamespace(user_id="ann"), connection=connection)
        self.worker.start(cast("Any", session), self.mailbox, self.done.set)

    async def answer(self, outcome: object) -> None:
        """The owner answers the command that was asked last."""
        self.asked.pop()(outcome)
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_a_command_is_asked_for_at_once_and_the_next_after_its_end(desk: Desk) -> None:
    desk.start("first", "second")
    assert len(desk.asked) == 1
    await desk.answer(Reply(seq=1))
    assert desk.told == ["first 1"]
    assert len(desk.asked) == 1
    assert not desk.done.is_set()
    await desk.answer(Reply(seq=2))
    assert desk.told == ["first 1", "second 2"]
    assert desk.done.is_set()
    assert desk.tasks.tasks == []


async def test_what_the_limiter_refuses_is_asked_of_nobody(desk: Desk) -> None:
    desk.over = LIMITED
    desk.start(*["refused"] * 50)
    await asyncio.wait_for(desk.done.wait(), 5)
    assert desk.told == [Code.RATE_LIMITED.value] * 50
    assert desk.asked == []
    assert desk.charged == []


async def test_what_is_carried_out_is_charged_before_it_is_asked_for(desk: Desk) -> None:
    desk.start("first", "second")
    # Of one byte.
    cost = OWNERS.once_s + OWNERS.byte_s, OWNERS.session_s + OWNERS.session_byte_s
    assert desk.charged == [cost]
    await desk.answer(Reply(seq=1))
    assert desk.charged == [cost, cost]


async def test_what_takes_longer_is_awaited(desk: Desk) -> None:
    replied: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    async def reply() -> Reply:
        return await replied

    desk.start("slow", "next")
    await desk.answer(reply())
    assert desk.told == []
    replied.set_result(Reply(seq=1))
    await asyncio.gather(*desk.tasks.tasks)
    await asyncio.sleep(0)
    assert desk.told == ["slow 1"]
    assert len(desk.asked) == 1


@pytest.mark.parametrize("is_awaited", [False, True])
async def test_a_fault_is_answered_and_ends_no_other_command(
    desk: Desk, *, is_awaited: bool
) -> None:
    async def fail() -> Reply:
        raise RuntimeError("a fault")

    desk.start("broken", "next")
    await desk.answer(fail() if is_awaited else Reply())
    assert desk.told == [Code.INTERNAL_ERROR.value]
    await desk.answer(Reply(seq=1))
    assert desk.told[1:] == ["next 1"]
    assert desk.done.is_set()


async def test_a_connection_that_ends_leaves_what_waits_undone(desk: Desk) -> None:
    desk.start("first", "second")
    desk.mailbox.clear()
    await desk.answer(Reply(seq=1))
    assert desk.told == ["first 1"]
    assert desk.done.is_set()
