"""What is stored, in order: appending to streams, reading them, and keeping them set up.

A stream's messages have a subject each, and a sequence that rises over the whole stream. What
is appended at an expected sequence comes right after that message of its subject, or not at all.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from pydantic_core import from_json

from harmonic_runtime.bus import layouts, reading, workqueue
from harmonic_runtime.bus.client import (
    Answer,
    AnswerLost,
    Bus,
    BusTimeout,
    BusUnavailable,
    NoResponders,
    settle,
)
from harmonic_runtime.bus.jetstream import ApiRefused, call
from harmonic_runtime.bus.layouts import Change
from harmonic_runtime.bus.reading import (
    EXPECTED_SEQUENCE,
    MAX_SUBJECTS,
    Stored,
    TooManySubjects,
)
from harmonic_runtime.bus.wire import NO_HEADERS, Message
from harmonic_runtime.bus.workqueue import Job
from harmonic_runtime.process.failures import CannotStart

__all__ = [
    "MAX_SUBJECTS",
    "AppendUnknown",
    "Ensured",
    "Job",
    "Stored",
    "StreamFull",
    "Streams",
    "TooManySubjects",
    "WrongSequence",
]

T = TypeVar("T")

#: How long setting up one stream or consumer may take, from the first attempt to the last.
SETUP_TIMEOUT_S = 30.0
SETUP_CALL_TIMEOUT_S = 5.0
#: Brokers that have no leader yet leave questions unanswered, also once they have one: what a
#: stream is like is asked again after so long at first, then after twice as long each time.
LOOK_TIMEOUT_S = 0.5
SETUP_PAUSE_S = 0.25
#: How soon an append is tried again whose place another one contends for.
CONTENDED_PAUSE_S = 0.01
#: With less time left it is not: a try that is cut short would leave it open what became of it.
LEAST_ATTEMPT_S = 0.1

# Error codes, as nats-server's errors.json explains them.
_WRONG_SEQUENCE = 10071
#: Another append at that place is under way, and may still succeed or fail (10164), or could
#: not be looked up yet (10163); this one was not proposed to the stream.
_CONTENDED = frozenset({10163, 10164})
#: The limits of the account (10002, 10120), of the server (10023), and of one message (10054,
#: 10097). The leader checks all of them before it proposes or stores anything.
_FULL = frozenset({10002, 10023, 10054, 10097, 10120})
#: A stream's own limits (``discard: new``) carry this code, and so does a store that is closed.
_STORE_FAILED = 10077
_STORE_CLOSED = "closed"
#: Too much waits before the stream: dropped.
_TOO_MANY_REQUESTS = 10167
STREAM_NOT_FOUND = 10059
#: No peers, no leader, no resources, no such stream yet, its name just taken, offline: may be
#: otherwise soon.
_TRANSIENT = frozenset({10004, 10005, 10008, 10009, 10023, 10039, 10058, 10059, 10118, 10194})


class Ensured(NamedTuple):
    """What was ``changed`` of a stream that was there.

    What is ``left`` is not as it is wanted: a newer version has set the stream up.
    """

    changed: Mapping[str, Change]
    left: Mapping[str, Change]


class WrongSequence(Exception):
    """The subject's last message is not the expected one; nothing was stored."""


class StreamFull(Exception):
    """A limit of the stream, or of the storage under it, is reached; nothing was stored."""


class AppendContended(BusUnavailable):
    """Nothing was stored: another append at the same place is under way."""


class AppendUnknown(BusUnavailable):
    """Whether the message was stored, or still will be, is unknown."""


class Streams:
    """JetStream's streams, over a bus.

    Setting up a stream or a consumer, or waiting for it, takes at most ``patience_s``.
    """

    def __init__(self, bus: Bus, *, patience_s: float = SETUP_TIMEOUT_S) -> None:
        self._bus = bus
        self._patience_s = patience_s

    async def ensure(
        self, config: Mapping[str, object], *, version: int, hint: str = ""
    ) -> Ensured:
        """Create the stream, or bring it up to date; several replicas may do so at once.

        Asking comes first, since a stream needs no room that it has already. A stream that a newer
        version has set up is left as it is, so that replicas of two versions side by side do not
        undo one another's work.
        Raise :class:`CannotStart`, with a ``hint`` for the operator, if it is refused, or not
        possible in time.
        """
        name = config["name"]
        versioned = layouts.versioned(config, version)

        async def put(look_timeout_s: float) -> Ensured:
            try:
                found = await self._look(name, look_timeout_s)
            except ApiRefused as refused:
                if refused.code != STREAM_NOT_FOUND:
                    raise
                # One that another replica has created meanwhile is taken at the next attempt.
                await self._set_up(f"STREAM.CREATE.{name}", versioned)
                return Ensured({}, {})
            changes = layouts.changes(found["config"], config)
            if layouts.version_of(found) > version:
                return Ensured({}, changes)
            if changes or layouts.version_of(found) < version:
                await self._set_up(f"STREAM.UPDATE.{name}", versioned)
            return Ensured(changes, {})

        advice = f" {hint}" if hint else ""
        return await self._in_time(f"The stream {name} cannot be set up{advice}", put)

    async def wait_for(self, stream: str) -> Mapping[str, Any]:
        """What the stream is like, once it exists; :class:`CannotStart` if that takes too long."""
        return await self._in_time(
            f"The stream {stream} is not there", lambda timeout_s: self._look(stream, timeout_s)
        )

    async def ensure_consumer(self, stream: str, config: Mapping[str, object]) -> None:
        """Create the durable consumer, or bring it up to date; like :meth:`ensure`."""
        name = config["durable_name"]
        body = {"stream_name": stream, "config": config}
        await self._in_time(
            f"The consumer {name} of the stream {stream} cannot be set up",
            lambda _: self._set_up(f"CONSUMER.CREATE.{stream}.{name}", body),
        )

    async def _look(self, stream: object, timeout_s: float) -> Mapping[str, Any]:
        return await self._set_up(f"STREAM.INFO.{stream}", {}, timeout_s=timeout_s)

    async def _set_up(
        self, name: str, body: Mapping[str, object], *, timeout_s: float = SETUP_CALL_TIMEOUT_S
    ) -> Mapping[str, Any]:
        try:
            return await call(self._bus, name, body, timeout_s=timeout_s)
        except NoResponders as error:
            raise BusUnavailable("JetStream is not enabled there, or not for this user") from error

    async def _in_time(self, failure: str, attempt: Callable[[float], Awaitable[T]]) -> T:
        """Attempt it until it succeeds, is refused for good, or took too long.

        An attempt is told how long a question may take.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._patience_s
        look_timeout_s = LOOK_TIMEOUT_S
        while True:
            try:
                return await attempt(look_timeout_s)
            except BusUnavailable as error:
                for_good = isinstance(error, ApiRefused) and error.code not in _TRANSIENT
                if for_good or loop.time() + SETUP_PAUSE_S > ends_at:
                    raise CannotStart(f"{failure}: {error}.") from error
            look_timeout_s = min(2 * look_timeout_s, SETUP_CALL_TIMEOUT_S)
            await asyncio.sleep(SETUP_PAUSE_S)

    async def append(
        self,
        subject: str,
        payload: bytes,
        *,
        timeout_s: float,
        expected_last_subject_sequence: int | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> int:
        """Store a message, with ``headers`` of its own; its sequence.

        Raise :class:`WrongSequence` and :class:`StreamFull` where it was not stored for good
        reason, :class:`AppendUnknown` where nobody can tell, and :class:`BusUnavailable` else:
        it was not stored, and may be another time. That nobody responds is among the latter,
        since the broker only says so of a message that it handed to nobody: a stream without
        a leader does not listen. :class:`MessageTooLarge` is raised as by the bus.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + timeout_s
        while True:
            stored: asyncio.Future[int] = loop.create_future()
            self.begin_append(
                subject,
                payload,
                timeout_s=timeout_s,
                expected_last_subject_sequence=expected_last_subject_sequence,
                headers=headers,
                on_outcome=partial(settle, stored),
            )
            try:
                return await stored
            except AppendContended:
                await asyncio.sleep(CONTENDED_PAUSE_S)
                timeout_s = ends_at - loop.time()
                if timeout_s < LEAST_ATTEMPT_S:
                    raise

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
        """Store a message in one attempt, for callers without a task; raise what cannot be sent.

        ``on_outcome`` is called with its sequence, or with what :meth:`append` raises; that is
        :class:`AppendContended` where another append at the same place is under way.
        """

        def take(answer: Answer) -> None:
            if isinstance(answer, Message):
                on_outcome(_outcome_of(answer))
            elif isinstance(answer, BusTimeout | AnswerLost):
                on_outcome(AppendUnknown(str(answer)))
            else:
                on_outcome(answer)

        if expected_last_subject_sequence is not None:
            headers = {EXPECTED_SEQUENCE: str(expected_last_subject_sequence), **headers}
        self._bus.ask(subject, payload, headers=headers, timeout_s=timeout_s, on_answer=take)

    async def last(self, stream: str, subject: str) -> Stored | None:
        """The newest message of a subject, as the stream's leader knows it."""
        return await reading.from_leader(self._bus, stream, {"last_by_subj": subject})

    async def first(self, stream: str, subject: str) -> Stored | None:
        """The oldest message of a subject, as the stream's leader knows it."""
        request = {"seq": 1, "next_by_subj": subject}
        return await reading.from_leader(self._bus, stream, request)

    async def read(
        self, stream: str, subject: str, *, from_sequence: int, limit: int
    ) -> list[Stored]:
        """A subject's messages from a sequence on, in order, at most ``limit``.

        A ``*`` in the subject stands for any word. If they are fewer than ``limit``, the
        stream's leader had no more. Raise :class:`BusUnavailable` if that takes too long.
        """
        return await reading.read(
            self._bus, stream, subject, from_sequence=from_sequence, limit=limit
        )

    async def newest(self, stream: str, subjects: Sequence[str]) -> list[Stored]:
        """The newest message of each subject that has one.

        Any replica may answer, and may be a little behind.
        """
        return await reading.newest(self._bus, stream, subjects)

    async def latest(self, stream: str, subjects: str, *, limit: int) -> list[Stored]:
        """The newest message of each subject that matches, in order, at most ``limit``.

        Raise :class:`TooManySubjects` where more match than the broker looks for at once.
        Any replica may answer, and may be a little behind. Far cheaper for the broker than
        :meth:`read`, which has it look through its blocks.
        """
        return await reading.latest(self._bus, stream, subjects, limit)

    async def purge(self, stream: str, subject: str, *, up_to: int | None = None) -> None:
        """Remove all messages of a subject, or those with a sequence of at most ``up_to``."""
        body: dict[str, object] = {"filter": subject}
        if up_to is not None:
            # The broker removes what is below the sequence that it is given.
            body["seq"] = up_to + 1
        await call(self._bus, f"STREAM.PURGE.{stream}", body)

    async def fetch(self, stream: str, consumer: str, *, batch: int, expires_s: float) -> list[Job]:
        """Up to ``batch`` jobs of a consumer; none where none came within ``expires_s``.

        With a ``batch`` above one, the first ones wait for the last, and their ``ack_wait``
        goes on. Raise :class:`BusUnavailable` if the consumer cannot be asked now.
        """
        return await workqueue.fetch(self._bus, stream, consumer, batch=batch, expires_s=expires_s)


def _outcome_of(message: Message) -> int | Exception:
    """The sequence at which an append was stored, or why it was not."""
    answer = from_json(message.payload)
    if "error" not in answer:
        sequence: int = answer["seq"]
        return sequence
    refused = ApiRefused(answer["error"])
    if refused.code in _CONTENDED:
        return AppendContended("another append at the same place is under way")
    return _append_failure(refused)


def _append_failure(refused: ApiRefused) -> Exception:
    if refused.code == _WRONG_SEQUENCE:
        return WrongSequence(str(refused))
    limit_reached = refused.code == _STORE_FAILED and _STORE_CLOSED not in str(refused)
    if limit_reached or refused.code in _FULL:
        return StreamFull(str(refused))
    if refused.code == _TOO_MANY_REQUESTS:
        return refused
    return AppendUnknown(str(refused))
