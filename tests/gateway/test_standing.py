"""Commands whose token ends while they wait: asked again in the turn in which they are acted on."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from harmonic_gateway.commands.mailbox import Mailbox, MailboxLimits, Queued
from harmonic_gateway.commands.worker import Worker
from harmonic_gateway.identity.standing import Standing
from harmonic_gateway.identity.verification import EXPIRED, LEEWAY_S, REVOKED, Identity
from harmonic_gateway.limits.allowances import Allowance
from harmonic_protocol.envelope import NO_TRACE, Reply
from harmonic_protocol.messages.rooms import LeaveRoom
from harmonic_protocol.refusals import Refused
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.tracing import NoTracer
from harness import virtual_time

ANN = Identity("ann", "Ann", expires_at_s=1000)


class World:
    """A clock, revocations, and allowances that take their time."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self.revoked = False
        self.granted = asyncio.Event()
        self.done: list[str] = []

    def unix_s(self) -> float:
        return self.at_s

    def monotonic(self) -> float:
        return 0.0

    def is_revoked(self, _: Identity) -> bool:
        return self.revoked

    async def verify(self, _: str | None) -> Identity:
        await self.granted.wait()
        return ANN

    def begin(self, *asked: Any) -> None:
        """Count a request, which takes its time; or carry a command out, which takes none."""
        *of, on_outcome = asked
        on_outcome(Reply() if len(of) == 3 else self.count())

    async def count(self) -> None:
        await self.granted.wait()

    def finish(self, *_: object) -> None:
        self.done.append("carried out")

    def took(self, _name: str, _took_s: float, *, is_stored: bool) -> None:
        assert is_stored

    def refused(
        self, _connection: object, _declared: object, why: Refused, *_: Any, **__: Any
    ) -> None:
        self.done.append(str(why.details["reason"]))

    @property
    def standing(self) -> Standing:
        some = cast("Any", self)
        return Standing(some, some, some)


def test_a_token_is_good_until_it_expires_or_is_revoked() -> None:
    async def run() -> None:
        world = World()
        world.at_s = 999.0
        assert world.standing.refusal(ANN) is None
        world.at_s = 1000.0
        assert world.standing.refusal(ANN) == EXPIRED
        # A client is let in as long as its token would be verified.
        world.at_s = 1000.0 + LEEWAY_S - 0.5
        assert world.standing.refusal_to_admit(ANN) is None
        world.at_s = 1000.0 + LEEWAY_S
        assert world.standing.refusal_to_admit(ANN) == EXPIRED
        world.at_s = 0.0
        world.revoked = True
        assert world.standing.refusal(ANN) == REVOKED
        assert world.standing.refusal_to_admit(ANN) == REVOKED

    virtual_time.run(run())


def test_a_token_that_is_revoked_while_it_is_verified_proves_nothing() -> None:
    async def run() -> Identity | Refused:
        world = World()
        verifying = asyncio.ensure_future(world.standing.identify("x"))
        await asyncio.sleep(0)
        world.revoked = True
        world.granted.set()
        return await verifying

    assert virtual_time.run(run()) == REVOKED


def carried_out(world: World) -> Any:
    """A worker with one command that is being counted."""
    some = cast("Any", world)
    starts = SimpleNamespace(start=lambda work, name: asyncio.ensure_future(work))  # noqa: ARG005
    worker = Worker(
        commands=some,
        refresh=some,
        permission=lambda session, _command: world.standing.refusal(session.identity),
        allowances=some,
        answers=some,
        tasks=cast("Any", starts),
        clock=some,
        log=get_log(),
    )
    mailbox = Mailbox()
    command = LeaveRoom.model_validate({"universeId": "u"})
    queued = Queued(
        name="leave_room",
        command=command,
        deadline_s=60.0,
        ack_id=None,
        size_bytes=1,
        universe_id="u",
        op_id=None,
        received_s=0.0,
        trace=NO_TRACE,
        span=NoTracer().begin("leave_room"),
    )
    assert mailbox.put(queued, MailboxLimits(1, 100, 60.0, Allowance(1)))
    done = asyncio.Event()
    pace = SimpleNamespace(caused=lambda *_: None)
    session = SimpleNamespace(identity=ANN, connection=SimpleNamespace(pace=pace))
    worker.start(cast("Any", session), mailbox, done.set)
    return done


def test_a_command_is_carried_out_if_the_token_is_still_good() -> None:
    async def run() -> list[str]:
        world = World()
        done = carried_out(world)
        world.granted.set()
        await done.wait()
        return world.done

    assert virtual_time.run(run()) == ["carried out"]


def test_a_command_whose_token_ends_while_it_waits_is_refused() -> None:
    async def run(*, revoked: bool) -> list[str]:
        world = World()
        done = carried_out(world)
        await asyncio.sleep(0)
        world.revoked = revoked
        world.at_s = 0.0 if revoked else 1000.0
        world.granted.set()
        await done.wait()
        return world.done

    assert virtual_time.run(run(revoked=True)) == ["REVOKED"]
    assert virtual_time.run(run(revoked=False)) == ["EXPIRED"]
