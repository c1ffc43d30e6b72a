"""The newest messages of a stream's subjects: heard at once, and read if one was missed.

Subscribers of a subject hear what is stored in its stream. What was stored before, or while the bus
was away, is read.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.jetstream import ApiRefused, call
from harmonic_runtime.bus.streams import STREAM_NOT_FOUND, Streams
from harmonic_runtime.bus.wire import Message

READ_BATCH = 1000
#: Heard at once as a rule; read again so often, in case that one was not.
READ_INTERVAL_S = 10.0
RETRY_PAUSE_S = 0.5


class Follower:
    """Hands each message's subject and payload to ``note``, at least once, in no certain order.

    What the broker stored as its own answer is handed to ``note_foreign`` instead. A stream that
    ``may_be_absent`` counts as empty if it does not exist; any other is waited for.
    """

    def __init__(
        self,
        bus: Bus,
        stream: str,
        subjects: str,
        note: Callable[[str, bytes], None],
        note_foreign: Callable[[str], None],
        *,
        may_be_absent: bool = False,
    ) -> None:
        self._bus = bus
        self._streams = Streams(bus)
        self._stream = stream
        self._subjects = subjects
        self._note = note
        self._note_foreign = note_foreign
        self._may_be_absent = may_be_absent
        self._next_sequence = 1
        self._wanted = asyncio.Event()
        self._loaded = asyncio.Event()

    async def follow(self, start: Callable[..., object], *, name: str) -> None:
        """Listen from now on, and return once all that was stored before is known.

        ``start`` begins a task of that ``name``, which reads what may not have been heard.
        """
        await self._bus.subscribe(self._subjects, self._hear)
        self._bus.on_reconnect(self._wanted.set)
        self._bus.on_gap(self._wanted.set)
        self._wanted.set()
        start(self._keep_reading(), name=name)
        await self._loaded.wait()

    async def _keep_reading(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(READ_INTERVAL_S):
                    await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._read()
            except BusUnavailable:
                self._wanted.set()
                await asyncio.sleep(RETRY_PAUSE_S)

    async def _read(self) -> None:
        while True:
            try:
                part = await self._streams.read(
                    self._stream,
                    self._subjects,
                    from_sequence=self._next_sequence,
                    limit=READ_BATCH,
                )
            except BusUnavailable:
                if not (self._may_be_absent and await self._is_absent()):
                    raise
                part = []
            for stored in part:
                if stored.is_answer:
                    self._note_foreign(stored.subject)
                else:
                    self._note(stored.subject, stored.payload)
                self._next_sequence = stored.sequence + 1
            if len(part) < READ_BATCH:
                self._loaded.set()
                return

    async def _is_absent(self) -> bool:
        """Whether the stream does not exist, as with state services of an earlier version."""
        try:
            await call(self._bus, f"STREAM.INFO.{self._stream}", {})
        except ApiRefused as refused:
            return refused.code == STREAM_NOT_FOUND
        return False

    def _hear(self, message: Message) -> None:
        self._note(message.subject, message.payload)
