"""Live signals of one connection: so many a second of each kind, and so many bytes of all."""

from typing import ClassVar

import pytest

from harmonic_gateway.limits.signals import SignalGuard
from harmonic_protocol.messages.audio import AudioAnalysis, AudioAnalyzed
from harmonic_protocol.messages.declaration import (
    KIB,
    SIGNAL_BURST_BYTES,
    SIGNAL_BYTES_PER_S,
    CommandSpec,
    LiveSignal,
    RateClass,
)
from harmonic_protocol.refusals import Refused

NOW_S = 1000.0


def signal(name: str, rate: RateClass | None = RateClass.SIGNALS) -> type[LiveSignal]:
    class Signal(LiveSignal):
        spec: ClassVar = CommandSpec(name, rate, ("audio_analyzed",))
        event: ClassVar = AudioAnalyzed

    return Signal


FIRST, SECOND = AudioAnalysis, signal("pointed")


def burst(
    guard: SignalGuard, kind: type[LiveSignal], count: int, size_bytes: int = 100
) -> list[Refused | None]:
    return [guard.take(kind, size_bytes, NOW_S) for _ in range(count)]


def test_ninety_may_come_at_once_and_the_next_after_the_time_that_it_is_told() -> None:
    guard = SignalGuard()
    assert burst(guard, FIRST, 90) == [None] * 90

    refusal = guard.take(FIRST, 100, NOW_S)

    assert refusal is not None
    assert refusal.code == "RATE_LIMITED"
    assert refusal.details == {"limit": 90, "windowMs": 3000, "retryAfterMs": 34}
    assert guard.take(FIRST, 100, NOW_S + 0.033) is not None
    assert guard.take(FIRST, 100, NOW_S + 0.034) is None


def test_thirty_a_second_may_come_for_ever() -> None:
    guard = SignalGuard()
    burst(guard, FIRST, 90)

    for number in range(300):
        assert guard.take(FIRST, 100, NOW_S + (number + 1) / 29.9) is None


def test_each_kind_is_counted_by_itself() -> None:
    guard = SignalGuard()
    burst(guard, FIRST, 90)

    assert burst(guard, SECOND, 90) == [None] * 90
    assert guard.take(SECOND, 100, NOW_S) is not None


def test_the_bytes_of_all_kinds_are_counted_together() -> None:
    guard = SignalGuard()
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
    guard = SignalGuard()
    burst(guard, FIRST, 90)
    burst(guard, FIRST, 500)

    assert guard.take(FIRST, 100, NOW_S + 0.034) is None


@pytest.mark.parametrize("rate", [None, RateClass.PARAMETERS])
def test_a_signal_has_a_rate_that_is_counted_on_its_connection(rate: RateClass | None) -> None:
    with pytest.raises(TypeError, match="needs a rate class"):
        SignalGuard().take(signal("odd", rate), 100, NOW_S)
