"""Any order of what may happen to an owner's requests, beside a log that keeps the truth."""

import random
from dataclasses import dataclass, field

import pytest

from harmonic_state.domain.evolve import fold
from harmonic_state.loaded import Loaded
from harmonic_state.steps import (
    Append,
    CarryOutEffects,
    Confirm,
    Confirmed,
    Conflicted,
    EffectsDone,
    Failed,
    Load,
    Read,
    ReadOn,
    StepFailure,
    TimePassed,
)
from state_service.builders import caller
from state_service.cycles import Cycle, universe_with, update

STEPS = 120
FAILURES = (
    StepFailure.UNAVAILABLE,
    StepFailure.FULL,
    StepFailure.OUTCOME_UNKNOWN,
    StepFailure.TOO_LARGE,
)


@dataclass
class Scene:
    """A cycle, and the log that its appends go to, which may lose an answer or come late."""

    chance: random.Random
    cycle: Cycle = field(default_factory=Cycle)
    log: Loaded = field(default_factory=lambda: universe_with("ann", "bob"))
    sent: Append | None = None

    def goes_on(self) -> None:
        self.cycle.now_s += self.chance.choice([0, 0, 0, 0.1, 1])
        if self.cycle.work is None or self.chance.random() < 0.4:
            self._asks()
        elif self.chance.random() < 0.2:
            self.cycle.tell(TimePassed())
        else:
            self._work_ends()

    def ends(self) -> None:
        self.cycle.now_s += 100
        self.cycle.tell(TimePassed())

    def _asks(self) -> None:
        self.cycle.ask(
            update(self.chance.randrange(20), opId=f"op{self.cycle.asked + 1}"),
            caller(self.chance.choice(["ann", "bob"])),
            within_s=self.chance.choice([0.5, 3, 60]),
        )

    def _work_ends(self) -> None:
        match self.cycle.work:
            case CarryOutEffects():
                self.cycle.tell(EffectsDone())
            case Load() | ReadOn() if self.chance.random() < 0.8:
                self._lands()
                self.cycle.tell(Read(self.log, []))
            case Confirm(position):
                at_the_end = position == self.log.position
                self.cycle.tell(Confirmed() if at_the_end else Conflicted())
            case Append() as append:
                self._append_ends(append)
            case _:
                self.cycle.tell(Failed(StepFailure.UNAVAILABLE))

    def _append_ends(self, append: Append) -> None:
        if append.position != self.log.position or self.chance.random() < 0.1:
            self.cycle.tell(Conflicted())
        elif self.chance.random() < 0.4:
            failure = self.chance.choice(FAILURES)
            if failure is StepFailure.OUTCOME_UNKNOWN:
                self.sent = append
            self.cycle.tell(Failed(failure))
        else:
            self._store(append)
            unknown = self.chance.random() < 0.2
            self.cycle.appended(at=self.log.position, was_unknown=unknown)

    def _lands(self) -> None:
        """An append without an answer is stored before the log is read, or never."""
        sent, self.sent = self.sent, None
        if sent is not None and sent.position == self.log.position and self.chance.random() < 0.5:
            self._store(sent)

    def _store(self, append: Append) -> None:
        after = fold(self.log.universe, append.events)
        self.log = self.log.then(after, self.log.position + 1)


@pytest.mark.parametrize("seed", range(300))
def test_each_request_is_answered_once_and_truly(seed: int) -> None:
    scene = Scene(random.Random(seed))
    for _ in range(STEPS):
        scene.goes_on()
    scene.ends()

    cycle, universe = scene.cycle, scene.log.universe
    assert universe is not None
    applied = {each.op_id: each.seq for each in universe.operations.values()}
    assert len(cycle.replies) == cycle.asked
    for number, reply in cycle.replies.items():
        outcome, seq = cycle.outcome(number), applied.get(f"op{number}")
        if outcome == "ok":
            assert seq == reply.seq
        elif outcome != "OUTCOME_UNKNOWN":
            assert seq is None, outcome
    seqs = list(applied.values())
    assert seqs == sorted(set(seqs))
