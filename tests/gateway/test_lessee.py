"""Leases as gateways store, renew and grant from them, on streams in memory."""

from collections import deque
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

from harmonic_gateway.limits import lessee
from harmonic_gateway.limits.allowances import (
    RETRY_MARGIN_MS,
    Allowance,
    Allowances,
    open_allowances,
)
from harmonic_gateway.limits.leases import KEPT_S, WINDOW_S
from harmonic_gateway.limits.lessee import APPEND_TIMEOUT_S, LeaseAnswer, Lessee
from harmonic_gateway.settings import GatewaySettings
from harmonic_protocol import subjects
from harmonic_protocol.leasing import METADATA, VALID_S, Division
from harmonic_protocol.messages.declaration import GLOBAL_RATES, SERVICE_RATES, RateClass
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import AppendContended, AppendUnknown, StreamFull
from harmonic_runtime.bus.wire import NO_HEADERS
from harmonic_runtime.observability.metrics import Metrics
from harness.memory import Failure, MemoryStreams

T = TypeVar("T")
A = TypeVar("A")
PARAMETERS, ROOMS = RateClass.PARAMETERS, RateClass.ROOMS
#: Two leases of two, and three requests a minute besides.
DIVISION = Division(2, 2)
SINGLY = 3


class LeasedStreams(MemoryStreams):
    """Streams that let go of leases and of single grants in their time."""

    #: Appends that are not answered yet.
    held: deque[Callable[[], None]] | None = None

    def begin_append(
        self,
        subject: str,
        payload: bytes,
        *,
        timeout_s: float,
        expected_last_subject_sequence: int | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        on_outcome: Callable[[int | Exception], None],
    ) -> None:
        now_ms = self.clock.seconds * 1000
        is_lease = expected_last_subject_sequence is not None
        kept_ms = 1000 * (KEPT_S if is_lease else WINDOW_S)
        self.stored = [
            one for one in self.stored if one.subject != subject or one.stored_ms + kept_ms > now_ms
        ]
        append = super().begin_append

        def answer() -> None:
            append(
                subject,
                payload,
                timeout_s=timeout_s,
                expected_last_subject_sequence=expected_last_subject_sequence,
                headers=headers,
                on_outcome=on_outcome,
            )

        if self.held is None:
            answer()
        else:
            self.held.append(answer)


class Fleet:
    """Gateways that grant what one book of streams has."""

    def __init__(self, gateways: int = 1) -> None:
        self.streams = LeasedStreams(
            {
                **{subjects.limit_stream(r): [subjects.limit_subjects(r)] for r in GLOBAL_RATES},
                subjects.LEASES_STREAM: subjects.lease_subjects(PARAMETERS, 2),
            },
            limits={subjects.limit_subjects(rate).rstrip("*"): SINGLY for rate in GLOBAL_RATES},
        )
        self.divide(DIVISION)
        self.clock = self.streams.clock
        self.metrics = [Metrics() for _ in range(gateways)]
        self.gateways = [
            Allowances(self.streams, gateway_id=str(n), clock=self.clock, metrics=metrics)
            for n, metrics in enumerate(self.metrics)
        ]

    def divide(self, division: Division) -> None:
        for rate in GLOBAL_RATES:
            self.streams.configs[subjects.limit_stream(rate)] = {
                "max_msgs_per_subject": str(SINGLY),
                "max_age": str(WINDOW_S * 10**9),
                **({"metadata": {METADATA: division.written()}} if rate is PARAMETERS else {}),
            }

    async def take(
        self, times: int = 1, *, gateway: int = 0, user: str = "ann", rate: RateClass = PARAMETERS
    ) -> list[int | None]:
        """The milliseconds to wait, or ``None``, for each of so many requests."""
        refusals = [await self.gateways[gateway].take(user, rate) for _ in range(times)]
        return [each.details["retryAfterMs"] if each else None for each in refusals]

    @property
    def appended(self) -> list[str]:
        """The subjects of all appends since the last look."""
        seen = [subject for subject, _ in self.streams.appends]
        self.streams.appends.clear()
        return seen

    def counted(self, name: str, **labels: str) -> float | None:
        return self.metrics[0].registry.get_sample_value(f"harmonic_{name}_total", labels)


@pytest.fixture
async def fleet() -> Fleet:
    return await started(Fleet())


async def started(fleet: Fleet) -> Fleet:
    for gateway in fleet.gateways:
        await gateway.learn()
    return fleet


def leased(number: int, user: str = "ann") -> str:
    return subjects.lease(PARAMETERS, number, user)


ONE_BY_ONE = subjects.limit(PARAMETERS, "ann")


async def test_the_whole_allowance_is_announced_and_granted(fleet: Fleet) -> None:
    allowed = SINGLY + DIVISION.leased
    assert fleet.gateways[0].allowances[PARAMETERS] == Allowance(allowed, WINDOW_S * 1000)
    assert fleet.gateways[0].allowances[ROOMS].limit == SINGLY
    answers = await fleet.take(allowed + 1)
    assert answers[:-1] == [None] * allowed
    assert answers[-1] is not None
    assert fleet.counted("allowances", rate="parameters", outcome="granted") == allowed
    assert fleet.counted("allowances_leased") == DIVISION.leased
    assert fleet.counted("lease_appends", outcome="stored") == 2


async def test_what_a_lease_grants_asks_nobody(fleet: Fleet) -> None:
    await fleet.take(2)
    (lease,) = fleet.streams.stored
    assert fleet.streams.appends == [(lease.subject, APPEND_TIMEOUT_S)]
    # All that it says is in its subject.
    assert lease.payload == b""
    assert len(set(fleet.appended) & {leased(1), leased(2)}) == 1
    await fleet.take(5)
    assert fleet.appended[1:] == [ONE_BY_ONE] * SINGLY
    await fleet.take(2, rate=ROOMS)
    assert fleet.appended == [subjects.limit(ROOMS, "ann")] * 2


async def test_two_gateways_hold_leases_of_their_own_and_share_the_rest() -> None:
    fleet = await started(Fleet(2))
    assert await fleet.take(2, gateway=0) == [None] * 2
    assert await fleet.take(2, gateway=1) == [None] * 2
    assert set(fleet.appended) >= {leased(1), leased(2)}
    answers = await fleet.take(SINGLY + 1, gateway=1)
    assert answers[:-1] == [None] * SINGLY
    assert answers[-1] is not None
    assert (await fleet.take(gateway=0)) != [None]


async def test_leases_that_the_broker_has_lost_are_granted_again_for_one_window_alone() -> None:
    fleet = await started(Fleet(gateways=2))
    allowed = SINGLY + DIVISION.leased

    async def granted(gateway: int) -> int:
        return (await fleet.take(2 * allowed, gateway=gateway)).count(None)

    assert await granted(0) == allowed
    # The stream of leases was restored from a backup, or its end is gone.
    leases = tuple(subjects.lease(PARAMETERS, number, "ann") for number in (1, 2))
    fleet.streams.stored = [one for one in fleet.streams.stored if one.subject not in leases]
    assert await granted(1) == DIVISION.leased
    fleet.clock.seconds += WINDOW_S + 1
    assert await granted(0) + await granted(1) == allowed


async def test_a_refused_client_that_waits_is_granted_by_a_lease(fleet: Fleet) -> None:
    await fleet.take(1)
    fleet.clock.seconds += 10
    *_, wait_ms = await fleet.take(SINGLY + DIVISION.leased)
    assert wait_ms == 50_000 + RETRY_MARGIN_MS
    fleet.clock.seconds += (wait_ms - 1) / 1000
    assert await fleet.take() == [1]
    fleet.clock.seconds += 0.001
    assert await fleet.take() == [None]


async def test_a_refused_client_that_waits_is_granted_by_itself(fleet: Fleet) -> None:
    await fleet.take(DIVISION.leased)
    # They are renewed, and have no room: the single grants are free first.
    fleet.clock.seconds += WINDOW_S - 5
    await fleet.take(SINGLY)
    fleet.clock.seconds += 5
    await fleet.take(DIVISION.leased)
    *_, wait_ms = await fleet.take()
    assert wait_ms == (WINDOW_S - 5) * 1000 + RETRY_MARGIN_MS


async def test_requests_wait_in_order_for_a_lease_that_is_asked_for(fleet: Fleet) -> None:
    fleet.streams.held = deque()
    answers: list[tuple[int, Any]] = []
    for number in range(3):
        fleet.gateways[0].begin("ann", PARAMETERS, noted(answers, number))
    assert (answers, len(fleet.streams.held)) == ([], 1)
    fleet.streams.held.popleft()()
    assert answers == [(0, None), (1, None)]
    fleet.streams.held.popleft()()
    assert answers == [(0, None), (1, None), (2, None)]


async def test_a_lease_is_renewed_while_requests_go_on(fleet: Fleet) -> None:
    await fleet.take()
    first = fleet.appended[0]
    fleet.clock.seconds += VALID_S / 2
    fleet.streams.held = deque()
    assert await fleet.take() == [None]
    fleet.streams.held.popleft()()
    assert fleet.appended == [first]
    fleet.streams.held = None
    fleet.clock.seconds += VALID_S - 0.5
    assert await fleet.take() == [None]
    assert fleet.appended == [first]
    assert fleet.counted("lease_appends", outcome="stored") == 3


@pytest.mark.parametrize("renewal", [None, Failure(AppendUnknown("no answer"))])
async def test_who_waits_for_a_lease_waits_on_when_another_is_renewed(
    fleet: Fleet, renewal: Failure | None
) -> None:
    await fleet.take()
    fleet.clock.seconds += VALID_S / 2
    fleet.streams.held = deque()
    assert await fleet.take() == [None]
    answers: list[tuple[int, Any]] = []
    for number in range(2):
        fleet.gateways[0].begin("ann", PARAMETERS, noted(answers, number))
    renew, claim = fleet.streams.held
    fleet.streams.failures = deque([renewal])
    renew()
    assert answers == []
    claim()
    assert answers == [(0, None), (1, None)]
    assert fleet.counted("allowances_counted_alone") == 0
    assert fleet.counted("allowances_leased") == 4


@pytest.mark.parametrize(
    "error", [StreamFull("no space"), AppendContended("another one")], ids=["full", "contended"]
)
async def test_a_lease_that_is_not_to_be_had_is_passed_over(fleet: Fleet, error: Exception) -> None:
    fleet.streams.failures = deque([Failure(error)])
    assert await fleet.take() == [None]
    assert set(fleet.appended) == {leased(1), leased(2)}
    assert fleet.counted("lease_appends", outcome="refused") == 1


@pytest.mark.parametrize("failing", ["unanswered", "unsendable"])
async def test_without_the_broker_all_who_wait_are_counted_alone(
    fleet: Fleet, failing: str
) -> None:
    if failing == "unanswered":
        fleet.streams.failures = deque([Failure(AppendUnknown("no answer"))] * 9)
    else:
        fleet.streams.unsendable = deque([BusUnavailable("not connected")] * 9)
    allowed = SINGLY + DIVISION.leased
    answers = await fleet.take(allowed + 1)
    assert answers == [None] * allowed + [WINDOW_S * 1000 + RETRY_MARGIN_MS]
    assert fleet.counted("allowances_counted_alone") == allowed + 1
    assert fleet.counted("lease_appends", outcome="unknown") == 2


async def test_what_leases_grant_counts_while_a_gateway_counts_alone(fleet: Fleet) -> None:
    await fleet.take(2)
    fleet.streams.failures = deque([Failure(BusUnavailable("no leader"))] * 9)
    answers = await fleet.take(SINGLY + DIVISION.leased)
    assert answers.count(None) == SINGLY + DIVISION.leased - 2
    # Another user is not concerned by it.
    assert await fleet.take(user="bob") == [None]


async def test_a_failed_renewal_keeps_nobody_waiting(fleet: Fleet) -> None:
    await fleet.take()
    fleet.clock.seconds += VALID_S / 2
    fleet.streams.failures = deque([Failure(AppendUnknown("no answer"))])
    assert await fleet.take() == [None]
    assert fleet.counted("allowances_counted_alone") == 0
    assert fleet.counted("lease_appends", outcome="unknown") == 1


async def test_nothing_is_leased_where_nothing_is_divided(fleet: Fleet) -> None:
    fleet.divide(Division(0, 0))
    before = await started(Fleet())
    before.divide(Division(0, 0))
    await before.gateways[0].learn()
    assert (await before.take(SINGLY + 1))[:-1] == [None] * SINGLY
    assert set(before.appended) == {ONE_BY_ONE}


async def test_an_allowance_that_is_divided_anew_is_leased_a_window_later(fleet: Fleet) -> None:
    await fleet.take()
    fleet.streams.appends.clear()
    fleet.divide(Division(2, 1))
    await fleet.gateways[0].learn()
    assert await fleet.take() == [None]
    assert fleet.appended == [ONE_BY_ONE]
    fleet.clock.seconds += WINDOW_S - 1
    await fleet.gateways[0].learn()
    await fleet.take()
    assert fleet.appended == [ONE_BY_ONE]
    fleet.clock.seconds += KEPT_S
    await fleet.take(2)
    assert set(fleet.appended) == {leased(1), leased(2)}


def test_of_an_allowance_that_is_divided_anew_nothing_is_held(fleet: Fleet) -> None:
    held = lessee_of(fleet.streams)
    answers: list[LeaseAnswer] = []
    held.begin("ann", PARAMETERS, answers.append)
    assert held.used("ann", PARAMETERS) == 1
    held.divide(PARAMETERS, Division(2, 1))
    held.begin("ann", PARAMETERS, answers.append)
    assert answers == [LeaseAnswer.GRANTED, LeaseAnswer.SINGLY]
    assert held.used("ann", PARAMETERS) == 0


def noted(answers: list[tuple[T, A]], whose: T) -> Callable[[A], None]:
    """Notes an answer with whose it is."""
    return lambda answer: answers.append((whose, answer))


def lessee_of(streams: MemoryStreams) -> Lessee:
    made = Lessee(streams, "g", streams.clock, Metrics())
    made.divide(PARAMETERS, DIVISION)
    return made


def test_a_user_of_whom_nothing_is_held_is_forgotten(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lessee, "MAX_LESSEES", 3)
    held = lessee_of(fleet.streams)
    answers: list[LeaseAnswer] = []

    def known() -> list[str]:
        return [user for user in "abcdef" if held.used(user, PARAMETERS)]

    for user in "abc":
        held.begin(user, PARAMETERS, answers.append)
    assert known() == ["a", "b", "c"]
    # A user who was given a lease again is not the oldest.
    fleet.clock.seconds += VALID_S / 2
    held.begin("a", PARAMETERS, answers.append)
    held.begin("d", PARAMETERS, answers.append)
    assert known() == ["a", "c", "d"]
    assert answers == [LeaseAnswer.GRANTED] * 5
    fleet.clock.seconds += KEPT_S
    held.begin("e", PARAMETERS, answers.append)
    assert known() == ["e"]
    assert held.free_in_s("e", PARAMETERS) is None
    assert held.free_in_s("nobody", PARAMETERS) is None
    held.begin("e", PARAMETERS, answers.append)
    assert held.free_in_s("e", PARAMETERS) == WINDOW_S


async def test_a_user_who_waits_is_not_forgotten(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lessee, "MAX_LESSEES", 1)
    held = lessee_of(fleet.streams)
    answers: list[tuple[str, LeaseAnswer]] = []
    fleet.streams.held = deque()
    for user in "abc":
        held.begin(user, PARAMETERS, noted(answers, user))
    for answer in tuple(fleet.streams.held):
        answer()
    assert answers == [(user, LeaseAnswer.GRANTED) for user in "abc"]


def test_what_is_not_divided_is_granted_one_by_one(fleet: Fleet) -> None:
    held = lessee_of(fleet.streams)
    answers: list[Any] = []
    held.begin("ann", ROOMS, answers.append)
    assert answers == [LeaseAnswer.SINGLY]


def test_of_the_users_only_the_two_oldest_are_looked_at_to_make_room(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lessee, "MAX_LESSEES", 3)
    held = lessee_of(fleet.streams)
    answers: list[tuple[str, LeaseAnswer]] = []
    fleet.streams.held = deque()
    for user in "abc":
        held.begin(user, PARAMETERS, noted(answers, user))
    fleet.streams.held[2]()
    assert answers == [("c", LeaseAnswer.GRANTED)]
    # The two oldest wait: nobody makes room.
    held.begin("d", PARAMETERS, noted(answers, "d"))
    assert held.used("c", PARAMETERS) == 1


@pytest.mark.parametrize("act", [True, False])
@pytest.mark.parametrize(("gateway_id", "number"), [("1", 2), ("4", 1)])
async def test_a_gateway_opens_the_allowances_of_all_that_it_counts(
    fleet: Fleet, gateway_id: str, number: int, *, act: bool
) -> None:
    settings = cast("GatewaySettings", SimpleNamespace(lets_services_act=act))
    for rate in SERVICE_RATES:
        one_by_one = fleet.streams.configs[subjects.limit_stream(ROOMS)]
        fleet.streams.configs[subjects.limit_stream(rate)] = one_by_one
    metrics = Metrics()
    opened = open_allowances(fleet.streams, settings, gateway_id, fleet.clock, metrics)
    await opened.learn()
    assert opened.allowances.keys() == {*GLOBAL_RATES, *(SERVICE_RATES if act else ())}
    assert await opened.take("ann", PARAMETERS) is None
    # Gateways begin to look for a lease at different numbers.
    assert fleet.appended == [leased(number)]
    assert metrics.registry.get_sample_value("harmonic_allowances_leased_total") == 1
