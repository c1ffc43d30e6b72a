"""What one connection may send: so many a second of a kind, and so many bytes of live signals."""

from typing import ClassVar

import pytest

from harmonic_gateway.limits.connection import ConnectionRates
from harmonic_protocol.messages.audio import AudioAnalysis, AudioAnalyzed
from harmonic_protocol.messages.connection import RefreshToken
from harmonic_protocol.messages.declaration import (
    KIB,
    SIGNAL_BURST_BYTES,
    SIGNAL_BYTES_PER_S,
    Command,
    CommandSpec,
    LiveSignal,
    OwnerCommand,
    RateClass,
)
from harmonic_protocol.messages.rooms import LeaveRoom
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Refused

NOW_S = 1000.0


def signal(name: str, rate: RateClass | None = RateClass.SIGNALS) -> type[LiveSignal]:
    class Signal(LiveSignal):
        spec: ClassVar = CommandSpec(name, rate, ("audio_analyzed",))
        event: ClassVar = AudioAnalyzed

    return Signal


FIRST, SECOND = AudioAnalysis, signal("pointed")


def burst(
    guard: ConnectionRates, kind: type[LiveSignal], count: int, size_bytes: int = 100
) -> list[Refused | None]:
    return [guard.take(kind, size_bytes, NOW_S) for _ in range(count)]


def test_ninety_may_come_at_once_and_the_next_after_the_time_that_it_is_told() -> None:
    guard = ConnectionRates()
    assert burst(guard, FIRST, 90) == [None] * 90

    refusal = guard.take(FIRST, 100, NOW_S)

    assert refusal is not None
    assert refusal.code == "RATE_LIMITED"
    assert refusal.details == {"limit": 90, "windowMs": 3000, "retryAfterMs": 34}
    assert guard.take(FIRST, 100, NOW_S + 0.033) is not None
    assert guard.take(FIRST, 100, NOW_S + 0.034) is None


def test_thirty_a_second_may_come_for_ever() -> None:
    guard = ConnectionRates()
    burst(guard, FIRST, 90)

    for number in range(300):
        assert guard.take(FIRST, 100, NOW_S + (number + 1) / 29.9) is None


def test_each_kind_is_counted_by_itself() -> None:
    guard = ConnectionRates()
    burst(guard, FIRST, 90)

    assert burst(guard, SECOND, 90) == [None] * 90
    assert guard.take(SECOND, 100, NOW_S) is not None


def test_the_bytes_of_all_kinds_are_counted_together() -> None:
    guard = ConnectionRates()
    half = SIGNAL_BURST_BYTES // (2 * 128 * KIB)
    assert burst(guard, FIRST, half, 128 * KIB) == [None] * half
    assert burst(guard, SECOND, half, 128 * KIB) == [None] * half

    refusal = guard.take(SECOND, 128 * KIB, NOW_S)

    assert refusal is not None
    assert refusal.details["reason"] == "SIGNAL_BYTES"
    assert refusal.details["limit"] == SIGNAL_BURST_BYTES
    wait_s = refusal.details["retryAfterMs"] / 1000
    assert wait_s == pytest.approx(128 * KIB / SIGNAL_BYTES_PER_S, abs=0.002)
    assert guard.take(SECOND, 128 * KIB, NOW_S + wait_s) is None


def test_a_refused_signal_counts_nothing() -> None:
    guard = ConnectionRates()
    burst(guard, FIRST, 90)
    burst(guard, FIRST, 500)

    assert guard.take(FIRST, 100, NOW_S + 0.034) is None


class Wave(OwnerCommand):
    """A command that owners decide, and that is counted on each connection all the same."""

    spec: ClassVar = CommandSpec("wave", RateClass.SIGNALS, ("waved",))


def test_any_command_may_be_counted_on_its_connection() -> None:
    guard = ConnectionRates()
    burst(guard, FIRST, 90)
    assert [guard.take(Wave, 64 * KIB, NOW_S) for _ in range(90)] == [None] * 90

    refusal = guard.take(Wave, 100, NOW_S)

    assert refusal is not None
    assert refusal.details["limit"] == 90


def test_only_live_signals_have_a_bound_in_bytes() -> None:
    guard = ConnectionRates()
    burst(guard, FIRST, 72, 128 * KIB)
    assert guard.take(FIRST, KIB, NOW_S) is not None

    assert guard.take(Wave, 128 * KIB, NOW_S) is None


@pytest.mark.parametrize("declared", [RefreshToken, LeaveRoom])
def test_what_is_counted_elsewhere_is_not_counted_here(declared: type[Command]) -> None:
    guard = ConnectionRates()

    assert [guard.take(declared, 64 * KIB, NOW_S) for _ in range(1000)] == [None] * 1000


@pytest.mark.parametrize("rate", [None, RateClass.PARAMETERS])
def test_a_signal_has_a_rate_that_is_counted_on_its_connection(rate: RateClass | None) -> None:
    with pytest.raises(TypeError, match="needs a rate class"):
        signal("odd", rate).rate()


def test_what_was_sent_to_another_gateway_counts_on() -> None:
    here, there = ConnectionRates(), ConnectionRates()
    assert here.hand_over(NOW_S) == {}
    burst(here, FIRST, 60, 16 * KIB)
    later_s = NOW_S + 0.25
    handed = here.hand_over(later_s)
    # Thirty a second: sixty count for two seconds.
    assert handed.pop("audio_analysis") == pytest.approx(1.75)
    assert list(handed.values()) == [pytest.approx(60 * 16 * KIB / SIGNAL_BYTES_PER_S - 0.25)]

    there.go_on(later_s, here.hand_over(later_s))

    for guard in (here, there):
        taken = [guard.take(FIRST, 100, later_s) for _ in range(38)]
        assert taken[:37] == [None] * 37
        assert taken[37] is not None


def test_bytes_that_were_sent_to_another_gateway_count_on() -> None:
    here, there = ConnectionRates(), ConnectionRates()
    most = SIGNAL_BURST_BYTES // (128 * KIB)
    burst(here, FIRST, most, 128 * KIB)

    there.go_on(NOW_S, here.hand_over(NOW_S))

    refusal = there.take(SECOND, 128 * KIB, NOW_S)
    assert refusal is not None
    assert refusal.reason is Reason.SIGNAL_BYTES
    assert there.take(SECOND, 100, NOW_S + 2) is None


def test_what_is_not_counted_here_is_not_handed_over() -> None:
    there = ConnectionRates()
    there.go_on(NOW_S, {"a signal of a newer version": 3.0, "leave_room": 3.0, "audio_analysis": 3})
    assert list(there.hand_over(NOW_S)) == ["audio_analysis"]


def test_what_was_sent_at_one_gateway_counts_at_the_next() -> None:
    before, after = ConnectionRates(), ConnectionRates()
    assert burst(before, FIRST, 90) == [None] * 90

    after.go_on(NOW_S + 500, before.hand_over(NOW_S))

    refusal = after.take(FIRST, 100, NOW_S + 500)
    assert refusal is not None
    assert refusal.details == before.take(FIRST, 100, NOW_S).details  # type: ignore[union-attr]
    assert after.take(FIRST, 100, NOW_S + 503) is None


def test_a_kind_that_only_a_newer_gateway_knows_is_passed_over() -> None:
    rates = ConnectionRates()
    rates.go_on(NOW_S, {"never_heard_of": 10.0})
    assert rates.take(FIRST, 100, NOW_S) is None
