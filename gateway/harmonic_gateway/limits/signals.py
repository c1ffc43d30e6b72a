"""What one connection may send of live signals: so many of each kind, so many bytes of all."""

import math

from harmonic_gateway.limits.allowances import FloodGuard, limited
from harmonic_protocol.messages.declaration import (
    KIB,
    SIGNAL_BURST_BYTES,
    SIGNAL_BYTES_PER_S,
    LiveSignal,
)
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Refused


class SignalGuard:
    """Counts a connection's live signals as their declarations say. A refused one counts nothing.

    Most connections send none: the guards are made when they are needed.
    """

    __slots__ = ("_bytes", "_kinds")

    def __init__(self) -> None:
        self._kinds: dict[str, FloodGuard] = {}
        self._bytes: FloodGuard | None = None

    def take(self, signal: type[LiveSignal], size_bytes: int, now_s: float) -> Refused | None:
        """Grant one signal, or say when to send the next."""
        kind, all_bytes = self._guards(signal)
        kib = math.ceil(size_bytes / KIB)
        wait_s, bytes_wait_s = kind.look(now_s), all_bytes.look(now_s, counts=kib)
        if bytes_wait_s > wait_s:
            over = limited(all_bytes.allowance, _milliseconds(bytes_wait_s))
            return over.about(reason=Reason.SIGNAL_BYTES.value, limit=SIGNAL_BURST_BYTES)
        if wait_s:
            return limited(kind.allowance, _milliseconds(wait_s))
        kind.take(now_s)
        all_bytes.take(now_s, counts=kib)
        return None

    def _guards(self, signal: type[LiveSignal]) -> tuple[FloodGuard, FloodGuard]:
        name, rate = signal.spec.name, signal.rate()
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._kinds[name] = FloodGuard(rate.allowance / rate.window_s, rate.burst)
        if self._bytes is None:
            self._bytes = FloodGuard(SIGNAL_BYTES_PER_S / KIB, SIGNAL_BURST_BYTES // KIB)
        return kind, self._bytes


def _milliseconds(wait_s: float) -> int:
    return int(wait_s * 1000) + 1
