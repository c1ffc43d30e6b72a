"""Handling messages: in order of arrival, in slices of time, within a bound of memory."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from harmonic_runtime.bus.connection import Interest
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability import table
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics

_Entry: TypeAlias = tuple[Interest, Message] | Callable[[], None]

#: How long messages are handled at a stretch, so that heartbeats and requests get their turn.
SLICE_S = 0.005
#: What a waiting message takes besides its payload, roughly.
MESSAGE_OVERHEAD_BYTES = 400


class Dispatcher:
    """One queue for all subscriptions of a process: no task and no queue for each.

    At most ``bound_bytes`` wait. Beyond that, messages are dropped. In their place in the order,
    the callbacks given to :meth:`on_gap` are called.
    """

    def __init__(self, *, bound_bytes: int, log: BoundLogger, metrics: Metrics) -> None:
        self._queue: deque[_Entry] = deque()
        self._bound_bytes = bound_bytes
        self._pending_bytes = 0
        self._running = False
        self._gap_is_last = False
        self._on_gap: list[Callable[[], None]] = []
        self._log = log
        self._messages = 0
        metrics.counter_from(table.BUS_MESSAGES, lambda: self._messages)
        self._dropped = metrics.counter(table.BUS_DROPPED)
        self._gaps = metrics.counter(table.BUS_GAPS)
        self._errors = metrics.counter(table.BUS_HANDLER_ERRORS)
        metrics.gauge_from(table.BUS_PENDING_BYTES, lambda: self._pending_bytes)

    def on_gap(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` where messages are missing."""
        self._on_gap.append(callback)

    def put(self, interest: Interest, message: Message) -> None:
        """Take a message, to be handled once :meth:`handle` is called."""
        self._messages += 1
        pending = self._pending_bytes + len(message.payload) + MESSAGE_OVERHEAD_BYTES
        if pending > self._bound_bytes:
            self._overflow()
            return
        self._pending_bytes = pending
        self._gap_is_last = False
        self._queue.append((interest, message))

    def handle(self) -> None:
        """Handle what came, for a slice of time; the rest soon."""
        if self._queue and not self._running:
            self._run()

    def call_in_order(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once everything that came before was handled."""
        self._append(callback)

    def _append(self, entry: _Entry) -> None:
        self._queue.append(entry)
        if not self._running:
            self._running = True
            asyncio.get_running_loop().call_soon(self._run)

    def _overflow(self) -> None:
        self._dropped.inc()
        if self._gap_is_last:
            return
        self._gap_is_last = True
        self._gaps.inc()
        self._log.error("bus_messages_dropped", bound_bytes=self._bound_bytes)
        self._append(self._tell_gap)

    def _tell_gap(self) -> None:
        self._gap_is_last = False
        for callback in self._on_gap:
            callback()

    def _run(self) -> None:
        queue = self._queue
        slice_ends_at = time.monotonic() + SLICE_S
        while queue:
            entry = queue.popleft()
            try:
                if isinstance(entry, tuple):
                    interest, message = entry
                    self._pending_bytes -= len(message.payload) + MESSAGE_OVERHEAD_BYTES
                    if interest.is_open:
                        interest.handler(message)
                else:
                    entry()
            except (Exception, asyncio.CancelledError):  # noqa: BLE001 -- others wait behind it
                # A handler may have looked at a cancelled future: no reason to stop here.
                self._errors.inc()
                subject = entry[1].subject if isinstance(entry, tuple) else ""
                self._log.exception("bus_handler_failed", subject=subject)
            if time.monotonic() > slice_ends_at:
                break
        self._running = bool(queue)
        if queue:
            asyncio.get_running_loop().call_soon(self._run)
