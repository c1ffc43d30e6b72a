"""Tokens that are not good any more, on every gateway within a moment and across restarts.

A revocation is one message: stored in a stream, and heard at once by whoever listens to its
subject. What was missed while the bus was away is read from the stream.
"""

import asyncio
import json
from collections.abc import Callable

from harmonic_gateway import metrics as table
from harmonic_gateway.identity.verification import Identity
from harmonic_protocol import subjects
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics

READ_BATCH = 1000
#: Heard at once as a rule; read again so often, in case that one was not.
READ_INTERVAL_S = 10.0
RETRY_PAUSE_S = 0.5


class Revocations:
    """What is revoked, by the last words of the subjects' digests."""

    def __init__(self, bus: Bus, streams: Streams, *, metrics: Metrics, log: BoundLogger) -> None:
        self._bus = bus
        self._log = log
        self._malformed = metrics.counter(table.REVOCATIONS_MALFORMED)
        self._streams = streams
        self._listeners: list[Callable[[], None]] = []
        self._revoked_s: dict[str, float] = {}
        self._next_sequence = 1
        self._wanted = asyncio.Event()
        self._loaded = asyncio.Event()

    def on_news(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each revocation that is heard of, in the same turn."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Listen from now on; what was revoked before is read by :meth:`keep_reading`."""
        await self._bus.subscribe(subjects.REVOCATION_SUBJECTS, self._hear)
        self._bus.on_reconnect(self._wanted.set)
        self._bus.on_gap(self._wanted.set)
        self._wanted.set()

    async def loaded(self) -> None:
        """Return once all that was revoked before is known."""
        await self._loaded.wait()

    async def keep_reading(self) -> None:
        """Read what may not have been heard, for ever."""
        while True:
            try:
                async with asyncio.timeout(READ_INTERVAL_S):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            try:
                await self._read()
            except BusUnavailable:
                self._wanted.set()
                await asyncio.sleep(RETRY_PAUSE_S)

    def is_revoked(self, identity: Identity) -> bool:
        """Whether a token was revoked, itself or with all that its user had at a time."""
        if not self._revoked_s:
            return False
        at_s = self._revoked_s.get(subjects.revoked_user(identity.user_id))
        if at_s is not None and identity.issued_at_s <= at_s:
            return True
        return identity.jti is not None and (
            subjects.revoked_token(identity.jti) in self._revoked_s
        )

    async def _read(self) -> None:
        while True:
            part = await self._streams.read(
                subjects.REVOCATIONS_STREAM,
                subjects.REVOCATION_SUBJECTS,
                from_sequence=self._next_sequence,
                limit=READ_BATCH,
            )
            for stored in part:
                if stored.is_answer:
                    # No operator has said it: the broker's answers go wherever a request names.
                    self._skip("revocation_foreign", stored.subject)
                else:
                    self._note(stored.subject, stored.payload)
                self._next_sequence = stored.sequence + 1
            if len(part) < READ_BATCH:
                self._loaded.set()
                return

    def _hear(self, message: Message) -> None:
        self._note(message.subject, message.payload)

    def _note(self, subject: str, payload: bytes) -> None:
        try:
            at_s = float(json.loads(payload)["at"])
        except (ValueError, TypeError, KeyError, RecursionError):
            # The others are good all the same.
            self._skip("revocation_malformed", subject)
            return
        if self._revoked_s.get(subject, 0.0) < at_s:
            self._revoked_s[subject] = at_s
            for listener in self._listeners:
                listener()

    def _skip(self, event: str, subject: str) -> None:
        self._malformed.inc()
        self._log.error(event, subject=subject)


async def revoke(streams: Streams, subject: str, at_s: float, timeout_s: float) -> None:
    """Store a revocation: of a user's tokens issued until then, or of one token."""
    await streams.append(subject, json.dumps({"at": at_s}).encode(), timeout_s=timeout_s)
