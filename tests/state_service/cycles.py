"""A commit cycle told what happens, a line an event: for tests of the owner's decisions."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from harmonic_protocol.envelope import Caller, Reply
from harmonic_protocol.internal import ReleaseGateway
from harmonic_runtime.process.clock import milliseconds
from harmonic_state.commit_cycle import CommitCycle
from harmonic_state.domain.events import encode_record
from harmonic_state.domain.universe_requests import UniverseRequest
from harmonic_state.loaded import Loaded
from harmonic_state.pending import PendingRequest
from harmonic_state.ring import RecentRecord, Ring
from harmonic_state.snapshot_plan import SnapshotPlan
from harmonic_state.steps import (
    Answer,
    Append,
    CarryOutEffects,
    Command,
    Confirm,
    Confirmed,
    EffectsDone,
    Event,
    Instant,
    Load,
    MakeRoom,
    Read,
    ReadOn,
    RecordStored,
    SnapshotSaved,
    Submitted,
    TimePassed,
    Work,
)
from harmonic_state.waiting_line import WaitingLine
from state_service.builders import UNIVERSE, caller, command, open_universe

C = TypeVar("C")

BEGAN_AT = datetime(2024, 3, 21, 10, 30, tzinfo=UTC)
BEGAN_MS = milliseconds(BEGAN_AT)
WORK = (Load, ReadOn, Append, Confirm, MakeRoom, CarryOutEffects)
NO_WORK = (Submitted, TimePassed, SnapshotSaved)
ANN = caller("ann")


def universe_with(*users: str, position: int = 10) -> Loaded:
    """A universe that anyone may edit, with these users in its room."""
    history = open_universe()
    for user in users:
        history.does(command("join_room", mode="edit"), caller(user))
    return Loaded(history.now, position)


def update(gravity: float = 5, **fields: Any) -> UniverseRequest:
    return command("update_physics", parameters={"gravity": gravity}, **fields)


@dataclass
class Cycle:
    """A cycle, its work under way, what it said last, and the replies by request number.

    ``by_record`` are the names of requests that a record has replied to.
    """

    cycle: CommitCycle = field(
        default_factory=lambda: CommitCycle(
            line=WaitingLine(1000),
            ring=Ring(2**16),
            snapshots=SnapshotPlan(every_records=256, uncovered_records=2000),
            packs_snapshots=False,
            # Whatever is stored is waited for, so that tests see each step.
            has_effects=lambda _: True,
        )
    )
    now_s: float = 0.0
    commands: list[Command] = field(default_factory=list)
    replies: dict[int, Reply] = field(default_factory=dict)
    by_record: set[str] = field(default_factory=set)
    asked: int = 0
    work: Work | None = None

    def tell(self, event: Event) -> "Cycle":
        now = Instant(BEGAN_MS, self.now_s)
        self.commands = self.cycle.handle(event, now)
        if not isinstance(event, NO_WORK):
            self.work = None
        for each in self.commands:
            if isinstance(each, Answer) and each.by_record:
                self.by_record.add(each.pending.name)
            elif isinstance(each, Answer):
                each.pending.reply(each.reply)
            elif isinstance(each, WORK):
                assert self.work is None, "one piece of work at a time"
                self.work = each
        return self

    def ask(
        self,
        request: UniverseRequest,
        by: Caller = ANN,
        *,
        within_s: float = 3.0,
        seen_position: int = 0,
        seen_seq: int = 0,
        name: str = "",
    ) -> int:
        """Submit a request; its number."""
        self.asked += 1
        number = self.asked

        def reply(answer: Reply) -> None:
            assert number not in self.replies, "answered twice"
            self.replies[number] = answer

        pending = PendingRequest(
            request,
            by,
            self.now_s + within_s,
            reply,
            seen_position=seen_position,
            seen_seq=seen_seq,
            name=name,
        )
        self.tell(Submitted((pending,)))
        return number

    def said(self, kind: type[C]) -> C:
        """The command of a kind that the last event led to, of which there is one."""
        found = [each for each in self.commands if isinstance(each, kind)]
        assert len(found) == 1, self.commands
        return found[0]

    def does(self, kind: type[C]) -> C:
        """The work that is under way, of that kind."""
        assert isinstance(self.work, kind), self.work
        return self.work

    def loads(self, loaded: Loaded) -> "Cycle":
        self.does(Load)
        return self.tell(Read(loaded, []))

    def appended(self, *, at: int, was_unknown: bool = False) -> "Cycle":
        """The append succeeds at a position."""
        append = self.does(Append)
        payload = encode_record(f"r{at}", append.at, append.events)
        return self.tell(
            RecordStored(RecentRecord(at, append.position, payload, f"r{at}"), was_unknown)
        )

    def stores(self, *, at: int) -> "Cycle":
        """The append succeeds at a position, and what follows from it is done."""
        self.appended(at=at)
        self.does(CarryOutEffects)
        return self.tell(EffectsDone())

    def confirms(self) -> "Cycle":
        self.does(Confirm)
        return self.tell(Confirmed())

    def outcome(self, number: int) -> str:
        """A reply in one word: ``ok``, or its error's reason or code; ``-`` before there is any."""
        reply = self.replies.get(number)
        if reply is None:
            return "-"
        if reply.error is None:
            return "ok"
        return str(reply.error.details.get("reason", reply.error.code.value))


def at_hand(*users: str) -> Cycle:
    """A cycle that has loaded a universe with these users in its room."""
    cycle = Cycle()
    cycle.ask(ReleaseGateway(universe_id=UNIVERSE, gateway_id=""), Caller("", ""))
    cycle.loads(universe_with(*users)).confirms()
    return cycle
