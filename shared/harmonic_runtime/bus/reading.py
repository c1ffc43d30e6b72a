"""Reading streams: batches from any replica, and the rest from the leader."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from harmonic_runtime.bus.client import Answer, Bus, BusTimeout, BusUnavailable
from harmonic_runtime.bus.jetstream import API_PREFIX, ApiRefused, call
from harmonic_runtime.bus.wire import (
    DESCRIPTION,
    REPEATED,
    STATUS,
    STORED_SEQUENCE,
    STORED_SUBJECT,
    decode_headers,
)
from harmonic_runtime.process.clock import milliseconds

#: How long one reading may take, however many batches it needs.
READ_TIMEOUT_S = 5.0
#: What one batch may take: the broker ends it with the message that reaches this.
READ_BATCH_BYTES = 4 * 1024 * 1024
#: The broker takes up to 1,024 subjects in one question for their newest messages.
NEWEST_PER_CALL = 500

#: Says of an append which message of its subject it follows; stored with it.
EXPECTED_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
_PREVIOUS = "Nats-Last-Sequence"
_PENDING = "Nats-Num-Pending"
_END_OF_BATCH = "204"
_NO_MESSAGE = "404"
_TOO_MANY = "413"
#: The same, as the API's error code.
_NO_MESSAGE_FOUND = 10037


#: The broker looks for the newest messages of so many subjects at once, and of no more.
MAX_SUBJECTS = 1024


class TooManySubjects(BusUnavailable):
    """More subjects match than the broker reads at once. Another try fails, too."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as it was stored.

    ``previous`` is the sequence of its subject's earlier message, if it was appended after that.
    ``stored_ms`` is when it was stored, in Unix time by the leader's clock, if that was asked.
    ``is_answer`` says that nobody published it there: it is the broker's answer, with a message
    stored elsewhere, to a request whose reply subject was the stream's.
    """

    sequence: int
    subject: str
    payload: bytes
    previous: int | None = None
    stored_ms: int = 0
    is_answer: bool = False

    @property
    def is_placed(self) -> bool:
        """Whether it was published by who may, after the message that it had to follow."""
        return self.previous is not None and not self.is_answer


async def read(
    bus: Bus, stream: str, subject: str, *, from_sequence: int, limit: int
) -> list[Stored]:
    """A subject's messages from a sequence on; see ``Streams``."""
    async with _in_time():
        return await _read(bus, stream, subject, from_sequence, limit)


async def _read(bus: Bus, stream: str, subject: str, sequence: int, limit: int) -> list[Stored]:
    found: list[Stored] = []
    pending = True
    while pending and len(found) < limit:
        request = {
            "seq": sequence,
            "next_by_subj": subject,
            "batch": limit - len(found),
            "max_bytes": READ_BATCH_BYTES,
        }
        part, pending = await _batch(bus, stream, request)
        found.extend(part)
        sequence = found[-1].sequence + 1 if found else sequence
    # Any replica answers a batch, and may be behind: only the leader knows that it is all.
    while len(found) < limit:
        missing = await from_leader(bus, stream, {"seq": sequence, "next_by_subj": subject})
        if missing is None:
            break
        found.append(missing)
        sequence = missing.sequence + 1
    return found


async def newest(bus: Bus, stream: str, subjects: Sequence[str]) -> list[Stored]:
    """The newest message of each subject that has one, as one replica of the stream knows it."""
    found: list[Stored] = []
    async with _in_time():
        for start in range(0, len(subjects), NEWEST_PER_CALL):
            part = list(subjects[start : start + NEWEST_PER_CALL])
            found.extend(await _latest(bus, stream, part, len(part)))
    return found


async def latest(bus: Bus, stream: str, subjects: str, limit: int) -> list[Stored]:
    """The newest message of each subject that matches, as one replica knows them.

    Raise :class:`TooManySubjects` for more than ``MAX_SUBJECTS`` of them.
    """
    # One question, which waits for its answer no longer than that.
    return await _latest(bus, stream, [subjects], limit)


async def _latest(bus: Bus, stream: str, subjects: Sequence[str], limit: int) -> list[Stored]:
    found, _ = await _batch(bus, stream, {"multi_last": subjects, "batch": limit})
    return found


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            yield
    except TimeoutError as error:
        raise BusTimeout("reading took too long") from error


async def _batch(bus: Bus, stream: str, request: Mapping[str, object]) -> tuple[list[Stored], bool]:
    """What one replica has of a request's messages, and whether it has more of them."""
    batch = _Batch()
    token = bus.ask(
        f"{API_PREFIX}DIRECT.GET.{stream}",
        to_json(request),
        timeout_s=READ_TIMEOUT_S,
        on_answer=batch.take,
        many=True,
    )
    try:
        return batch.found, await batch.has_more
    finally:
        bus.forget(token)


class _Batch:
    """The answers to one request: messages, and then a status that ends them."""

    def __init__(self) -> None:
        self.found: list[Stored] = []
        self.has_more: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def take(self, answer: Answer) -> None:
        if self.has_more.done():
            return
        if isinstance(answer, BusUnavailable):
            self.has_more.set_exception(answer)
            return
        headers = answer.headers
        # A stored message may have any status line: it is no word of the broker's.
        status = headers.get(STATUS) if STORED_SEQUENCE not in headers else None
        if status == _NO_MESSAGE:
            self.has_more.set_result(False)
        elif status == _TOO_MANY:
            self.has_more.set_exception(TooManySubjects(headers.get(DESCRIPTION, "")))
        elif status not in {None, _END_OF_BATCH}:
            self._fail(f"{status} {headers.get(DESCRIPTION, '')}".rstrip())
        elif int(headers[_PREVIOUS]) != (self.found[-1].sequence if self.found else 0):
            self._fail("a part of the answer is missing")
        elif status == _END_OF_BATCH:
            self.has_more.set_result(int(headers[_PENDING]) > 0)
        else:
            sequence, subject = int(headers[STORED_SEQUENCE]), headers[STORED_SUBJECT]
            is_answer = REPEATED in headers
            previous = _previous(headers)
            stored = Stored(sequence, subject, answer.payload, previous, is_answer=is_answer)
            self.found.append(stored)

    def _fail(self, reason: str) -> None:
        self.has_more.set_exception(BusUnavailable(f"reading failed: {reason}"))


async def from_leader(bus: Bus, stream: str, request: Mapping[str, object]) -> Stored | None:
    """The one message of a request, if the stream's leader has it."""
    try:
        answer = await call(bus, f"STREAM.MSG.GET.{stream}", request)
    except ApiRefused as refused:
        if refused.code == _NO_MESSAGE_FOUND:
            return None
        raise
    message: Mapping[str, Any] = answer["message"]
    payload = base64.b64decode(message.get("data", ""))
    headers = decode_headers(base64.b64decode(message.get("hdrs", "")) or None)
    stored_ms = milliseconds(datetime.fromisoformat(str(message["time"])))
    return Stored(
        int(message["seq"]),
        str(message["subject"]),
        payload,
        _previous(headers),
        stored_ms,
        # The leader adds nothing: what says where it is stored was stored elsewhere before.
        is_answer=STORED_SUBJECT in headers or REPEATED in headers,
    )


def is_republished(headers: Mapping[str, str], subject: str) -> bool:
    """Whether a message was republished that somebody who may has appended under ``subject``.

    Else the broker answered a request that named the subject as where to go, or had the answer
    stored, and republished: its own headers come twice then.
    """
    return (
        headers.get(STORED_SUBJECT) == subject
        and EXPECTED_SEQUENCE in headers
        and REPEATED not in headers
    )


def _previous(headers: Mapping[str, str]) -> int | None:
    expected = headers.get(EXPECTED_SEQUENCE, "")
    return int(expected) if expected.isdecimal() else None
