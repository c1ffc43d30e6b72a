"""The leases that a gateway holds: what each event leads to, and that none grant too much."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from harmonic_gateway.limits.leases import (
    KEPT_S,
    RENEWED_AFTER_S,
    TAKEN_S,
    WINDOW_S,
    Granted,
    LeaseAppend,
    Leases,
    NotLeased,
)
from harmonic_protocol.leasing import LEASES, VALID_S, Division

TWO_OF_TWO = Division(2, 2)
GRANTED, WAIT, GO_SINGLY = Granted(None), NotLeased.WAIT, NotLeased.GO_SINGLY
BEGAN_S = 1000.0


def holding(number: int = 1, *, sequence: int = 7, at_s: float = BEGAN_S) -> Leases:
    """One that holds one lease of two slots, of which there are two."""
    leases = Leases(TWO_OF_TWO, number - 1)
    assert leases.ask(at_s) == LeaseAppend(number, 0)
    leases.stored(number, sequence)
    return leases


def test_a_lease_is_asked_for_by_the_first_request_and_others_wait() -> None:
    leases = Leases(TWO_OF_TWO, 0)
    assert leases.is_over(BEGAN_S)
    assert leases.ask(BEGAN_S) == LeaseAppend(1, 0)
    assert leases.ask(BEGAN_S) is WAIT
    assert not leases.is_over(BEGAN_S)
    leases.stored(1, 7)
    assert leases.ask(BEGAN_S) == GRANTED
    assert not leases.is_over(BEGAN_S)


@pytest.mark.parametrize(("first", "order"), [(0, [1, 2]), (1, [2, 1]), (4, [1, 2]), (7, [2, 1])])
def test_gateways_begin_to_look_at_different_leases(first: int, order: list[int]) -> None:
    leases = Leases(TWO_OF_TWO, first)
    for number in order:
        assert leases.ask(BEGAN_S) == LeaseAppend(number, 0)
        leases.refused(number, BEGAN_S)
    assert leases.ask(BEGAN_S) is GO_SINGLY


def test_of_more_leases_the_next_higher_one_is_asked_for_next() -> None:
    leases = Leases(Division(4, 2), 5)
    for number in (2, 3, 4, 1):
        assert leases.ask(BEGAN_S) == LeaseAppend(number, 0)
        leases.refused(number, BEGAN_S)
    assert leases.ask(BEGAN_S) is GO_SINGLY


def test_a_full_lease_is_followed_by_another_and_then_by_single_grants() -> None:
    leases = holding()
    assert [leases.ask(BEGAN_S), leases.ask(BEGAN_S)] == [GRANTED, GRANTED]
    assert leases.ask(BEGAN_S + 1) == LeaseAppend(2, 0)
    leases.stored(2, 8)
    assert [leases.ask(BEGAN_S + 2), leases.ask(BEGAN_S + 3)] == [GRANTED, GRANTED]
    assert leases.ask(BEGAN_S + 4) is GO_SINGLY
    assert leases.used(BEGAN_S + 4) == 4
    assert leases.free_at_s(BEGAN_S + 4) == BEGAN_S + WINDOW_S


def test_a_slot_is_free_again_a_window_after_it_was_taken() -> None:
    leases = holding()
    leases.ask(BEGAN_S + 1)
    leases.ask(BEGAN_S + 31)
    assert leases.free_at_s(BEGAN_S + 31) == BEGAN_S + 1 + WINDOW_S
    leases.stored(1, 8)
    assert leases.ask(BEGAN_S + WINDOW_S + 0.9) == LeaseAppend(2, 0)
    leases.refused(2, BEGAN_S + WINDOW_S + 0.9)
    assert leases.ask(BEGAN_S + WINDOW_S + 0.9) is GO_SINGLY
    assert leases.ask(BEGAN_S + WINDOW_S + 1) == Granted(LeaseAppend(1, 8))
    assert leases.used(BEGAN_S + WINDOW_S + 1) == 2


def test_no_lease_that_has_room_says_when_it_is_free() -> None:
    leases = holding()
    assert leases.free_at_s(BEGAN_S) is None
    leases.ask(BEGAN_S)
    assert leases.free_at_s(BEGAN_S) is None
    assert Leases(TWO_OF_TWO, 0).free_at_s(BEGAN_S) is None


def test_a_lease_is_renewed_by_a_request_in_its_second_half_and_nobody_waits() -> None:
    leases = holding(sequence=7)
    half_s = BEGAN_S + RENEWED_AFTER_S
    assert leases.ask(half_s - 0.1) == GRANTED
    assert leases.ask(half_s) == Granted(LeaseAppend(1, 7))
    # Once at a time; a full lease whose renewal is under way has no room all the same.
    assert leases.ask(half_s) == LeaseAppend(2, 0)
    leases.refused(2, half_s)
    leases.stored(1, 9)
    # It is valid from when the renewal was asked for, and knows what it granted before.
    assert leases.ask(half_s + VALID_S - 30.2) == GO_SINGLY
    assert leases.ask(half_s + VALID_S - 0.1) == Granted(LeaseAppend(1, 9))


def test_a_renewal_that_is_refused_ends_the_lease_at_once() -> None:
    leases = holding()
    assert leases.ask(BEGAN_S + RENEWED_AFTER_S) == Granted(LeaseAppend(1, 7))
    leases.refused(1, BEGAN_S + RENEWED_AFTER_S)
    assert leases.ask(BEGAN_S + RENEWED_AFTER_S) == LeaseAppend(2, 0)
    leases.refused(2, BEGAN_S + RENEWED_AFTER_S)
    assert leases.ask(BEGAN_S + RENEWED_AFTER_S) is GO_SINGLY
    # It is asked for again after a while.
    again_s = BEGAN_S + RENEWED_AFTER_S + TAKEN_S
    assert leases.ask(again_s - 0.1) is GO_SINGLY
    assert leases.ask(again_s) == LeaseAppend(1, 0)


def test_a_renewal_of_unknown_outcome_leaves_the_lease_as_it_was() -> None:
    leases = holding()
    late_s = BEGAN_S + VALID_S - 1
    assert leases.ask(late_s) == Granted(LeaseAppend(1, 7))
    leases.unknown(1, late_s)
    # What it was stored as is not known: it is not renewed again, and not waited for.
    assert leases.ask(late_s) == GRANTED
    assert leases.free_at_s(late_s) is None
    assert leases.ask(BEGAN_S + VALID_S) == LeaseAppend(2, 0)
    leases.refused(2, BEGAN_S + VALID_S)
    assert leases.ask(BEGAN_S + VALID_S) is GO_SINGLY
    assert leases.ask(late_s + TAKEN_S) == LeaseAppend(1, 0)


def test_a_claim_of_unknown_outcome_grants_nothing() -> None:
    leases = Leases(TWO_OF_TWO, 0)
    leases.ask(BEGAN_S)
    leases.unknown(1, BEGAN_S)
    assert leases.is_over(BEGAN_S)
    assert leases.ask(BEGAN_S) == LeaseAppend(2, 0)
    leases.unknown(2, BEGAN_S)
    assert leases.ask(BEGAN_S) is GO_SINGLY
    assert leases.ask(BEGAN_S + TAKEN_S) == LeaseAppend(1, 0)


def test_a_lease_that_is_not_valid_any_more_is_asked_for_by_its_last_message() -> None:
    leases = holding()
    leases.ask(BEGAN_S + 1)
    assert leases.ask(BEGAN_S + VALID_S - 0.1) == Granted(LeaseAppend(1, 7))
    leases.stored(1, 8)
    over_s = BEGAN_S + 2 * VALID_S - 0.1
    assert leases.ask(over_s) == LeaseAppend(1, 8)
    # It grants nothing until that is answered.
    assert leases.ask(over_s) is WAIT
    leases.stored(1, 9)
    assert [leases.ask(over_s), leases.ask(over_s)] == [GRANTED, GRANTED]


def test_a_lease_that_lapsed_full_is_not_asked_for_until_it_has_room() -> None:
    leases = holding()
    leases.ask(BEGAN_S + 29)
    leases.ask(BEGAN_S + 29)
    assert leases.ask(BEGAN_S + VALID_S) == LeaseAppend(2, 0)
    leases.refused(2, BEGAN_S + VALID_S)
    assert leases.ask(BEGAN_S + VALID_S) is GO_SINGLY
    assert leases.free_at_s(BEGAN_S + VALID_S) == BEGAN_S + 29 + WINDOW_S
    assert leases.ask(BEGAN_S + 29 + WINDOW_S) == LeaseAppend(1, 7)


def test_a_lease_that_the_broker_has_removed_is_forgotten() -> None:
    leases = holding()
    assert not leases.is_over(BEGAN_S + KEPT_S - 0.1)
    assert leases.is_over(BEGAN_S + KEPT_S)
    assert leases.ask(BEGAN_S + KEPT_S) == LeaseAppend(1, 0)


def test_a_lease_whose_renewal_is_under_way_is_not_forgotten() -> None:
    leases = holding()
    leases.ask(BEGAN_S + RENEWED_AFTER_S)
    assert not leases.is_over(BEGAN_S + KEPT_S)
    assert leases.ask(BEGAN_S + KEPT_S) is WAIT
    leases.stored(1, 8)
    assert leases.ask(BEGAN_S + RENEWED_AFTER_S + VALID_S) == LeaseAppend(1, 8)


@pytest.mark.parametrize(
    ("allowed", "division"),
    [
        (60, (4, 7)),
        (1, (0, 0)),
        (15, (0, 0)),
        (16, (4, 2)),
        (1_000_000, (4, 125_000)),
    ],
)
def test_half_of_an_allowance_is_leased_if_that_is_worth_it(
    allowed: int, division: tuple[int, int]
) -> None:
    found = Division.of(allowed)
    assert found == division
    assert allowed - found.leased >= allowed / 2
    assert Division.read(found.written()) == found


@pytest.mark.parametrize("text", [None, "", "4", "4x", "x7", "4x7x", "-4x7", "4x7.5"])
def test_a_division_that_is_not_said_is_none(text: str | None) -> None:
    assert Division.read(text) == (0, 0)


@dataclass
class Message:
    """An append on its way to the broker, or its answer on the way back."""

    gateway: int
    append: LeaseAppend
    outcome: int | None = None
    has_arrived: bool = False
    is_awaited: bool = True


@dataclass
class Stored:
    """The broker's word of who holds what, and of single grants."""

    leases: dict[int, tuple[int, float]] = field(default_factory=dict)
    singles: list[float] = field(default_factory=list)
    sequences: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def take(self, append: LeaseAppend, now_s: float) -> int | None:
        """The sequence at which a lease is stored; ``None`` where the place is another."""
        last, stored_s = self.leases.get(append.number, (0, 0.0))
        if last and now_s >= stored_s + KEPT_S:
            last = 0
        if last != append.expected_sequence:
            return None
        sequence = self.sequences()
        self.leases[append.number] = sequence, now_s
        return sequence

    def grant(self, most: int, now_s: float) -> bool:
        """Whether one request is granted by itself."""
        self.singles = [at_s for at_s in self.singles if at_s > now_s - WINDOW_S]
        if len(self.singles) >= most:
            return False
        self.singles.append(now_s)
        return True


GATEWAYS = 3


class Fleet(RuleBasedStateMachine):
    """Some gateways grant one user's requests, die, and are not answered, in any order."""

    division = Division(LEASES, 2)
    singly = 3

    def __init__(self) -> None:
        super().__init__()
        self.now_s = BEGAN_S
        self.broker = Stored()
        self.gateways = [Leases(self.division, n) for n in range(GATEWAYS)]
        self.messages: list[Message] = []
        self.granted_s: list[float] = []

    @rule(gateway=st.integers(0, GATEWAYS - 1), requests=st.integers(1, 6))
    def ask(self, gateway: int, requests: int) -> None:
        for _ in range(requests):
            match self.gateways[gateway].ask(self.now_s):
                case Granted(renewal):
                    self.granted_s.append(self.now_s)
                    if renewal is not None:
                        self.messages.append(Message(gateway, renewal))
                case LeaseAppend() as append:
                    self.messages.append(Message(gateway, append))
                case NotLeased.GO_SINGLY:
                    if self.broker.grant(self.singly, self.now_s):
                        self.granted_s.append(self.now_s)
                case NotLeased.WAIT:
                    pass

    @precondition(lambda self: self.messages)
    @rule(which=st.integers(0, 30))
    def arrive(self, which: int) -> None:
        message = self.messages[which % len(self.messages)]
        if not message.has_arrived:
            message.has_arrived = True
            message.outcome = self.broker.take(message.append, self.now_s)
        if not message.is_awaited:
            self.messages.remove(message)

    @precondition(lambda self: self.messages)
    @rule(which=st.integers(0, 30))
    def answer(self, which: int) -> None:
        message = self.messages[which % len(self.messages)]
        self.arrive(which)
        if not message.is_awaited:
            return
        self.messages.remove(message)
        leases, number = self.gateways[message.gateway], message.append.number
        if message.outcome is None:
            leases.refused(number, self.now_s)
        else:
            leases.stored(number, message.outcome)

    @precondition(lambda self: self.messages)
    @rule(which=st.integers(0, 30))
    def lose(self, which: int) -> None:
        """An answer does not come in time: what it is about may be stored, or be so later."""
        message = self.messages[which % len(self.messages)]
        if message.is_awaited:
            message.is_awaited = False
            self.gateways[message.gateway].unknown(message.append.number, self.now_s)
        if message.has_arrived:
            self.messages.remove(message)

    @rule(gateway=st.integers(0, GATEWAYS - 1))
    def die(self, gateway: int) -> None:
        self.gateways[gateway] = Leases(self.division, gateway)
        for message in self.messages:
            message.is_awaited = message.is_awaited and message.gateway != gateway

    @rule(seconds=st.sampled_from([0.5, 1, 10, 29.5, 30, 31, 59.5, 60, 61, 119.5, 120, 121]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @invariant()
    def never_more_than_is_allowed_in_any_window(self) -> None:
        self.granted_s = [at_s for at_s in self.granted_s if at_s > self.now_s - WINDOW_S]
        assert len(self.granted_s) <= self.division.leased + self.singly


TestFleet = Fleet.TestCase
TestFleet.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
