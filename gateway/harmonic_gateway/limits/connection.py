"""The rates of one connection: of each command that is counted by connection, and of live signals.

All live signals of a connection share a bound in bytes. It replaces the guard that counts all other
events.
"""

import math
from collections.abc import Mapping

from harmonic_gateway.limits.allowances import limited
from harmonic_gateway.limits.guards import FloodGuard
from harmonic_protocol.catalogue import COMMANDS
from harmonic_protocol.messages.declaration import (
    KIB,
    SIGNAL_BURST_BYTES,
    SIGNAL_BYTES_PER_S,
    Command,
    LiveSignal,
    Scope,
)
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Refused

#: The key of the bytes of all signals, among names of commands.
_SIGNAL_BYTES = ""


#: The commands that are counted here.
COUNTED_COMMANDS = frozenset(
    name
    for name, command in COMMANDS.items()
    if issubclass(command, LiveSignal)
    or (command.spec.rate is not None and command.spec.rate.scope is Scope.CONNECTION)
)


class ConnectionRates:
    """Counts a connection's commands by their rate classes. A refused command does not count.

    Most connections send no command that is counted here: guards are made when needed.
    """

    __slots__ = ("_bytes", "_kinds")

    def __init__(self) -> None:
        self._kinds: dict[str, FloodGuard] = {}
        self._bytes: FloodGuard | None = None

    def take(self, command: type[Command], size_bytes: int, now_s: float) -> Refused | None:
        """Grant one command, or return the refusal, which says when to send the next."""
        kind = self._kind(command)
        signals = self._signals() if issubclass(command, LiveSignal) else None
        if kind is None and signals is None:
            return None
        kib = math.ceil(size_bytes / KIB)
        wait_s = kind.look(now_s) if kind is not None else 0.0
        bytes_wait_s = signals.look(now_s, counts=kib) if signals is not None else 0.0
        if signals is not None and bytes_wait_s > wait_s:
            over = limited(signals.allowance, _milliseconds(bytes_wait_s))
            return over.about(reason=Reason.SIGNAL_BYTES.value, limit=SIGNAL_BURST_BYTES)
        if kind is not None and wait_s:
            return limited(kind.allowance, _milliseconds(wait_s))
        if kind is not None:
            kind.take(now_s)
        if signals is not None:
            signals.take(now_s, counts=kib)
        return None

    def hand_over(self, now_s: float) -> dict[str, float]:
        """Seconds until the commands sent so far no longer count, by command."""
        return {
            name: guard.busy_s(now_s)
            for name, guard in (*self._kinds.items(), (_SIGNAL_BYTES, self._bytes))
            if guard is not None
        }

    def go_on(self, now_s: float, busy_s: Mapping[str, float]) -> None:
        """Count the commands that were sent to another gateway, from its :meth:`hand_over`."""
        for name, seconds in busy_s.items():
            command = COMMANDS.get(name)
            guard = self._kind(command) if command is not None else None
            if name == _SIGNAL_BYTES:
                guard = self._signals()
            if guard is not None:
                guard.go_on(now_s, seconds)

    def _kind(self, command: type[Command]) -> FloodGuard | None:
        name, rate = command.spec.name, command.spec.rate
        if rate is None or rate.scope is not Scope.CONNECTION:
            return None
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._kinds[name] = FloodGuard(rate.allowance / rate.window_s, rate.burst)
        return kind

    def _signals(self) -> FloodGuard:
        if self._bytes is None:
            self._bytes = FloodGuard(SIGNAL_BYTES_PER_S / KIB, SIGNAL_BURST_BYTES // KIB)
        return self._bytes


def _milliseconds(wait_s: float) -> int:
    return int(wait_s * 1000) + 1
