"""Asks the replicas of services, and finds those that do not answer."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from harmonic_protocol import subjects
from harmonic_protocol.operating import (
    INSTANCE,
    SERVICES,
    Describe,
    Description,
    OperatorRequest,
    ReplicaEntry,
)
from harmonic_protocol.schema import ServiceModel
from harmonic_runtime.bus.client import Answer, Bus, BusTimeout, BusUnavailable
from harmonic_runtime.bus.streams import MAX_SUBJECTS, Streams
from harmonic_runtime.bus.wire import Message

#: Seconds that replicas may take to answer.
ANSWER_TIMEOUT_S = 2.0
#: Seconds to wait after the latest answer, if the number of replicas is not known.
OTHERS_S = 0.3

A = TypeVar("A", bound=ServiceModel)


@dataclass(frozen=True, slots=True)
class Replicas:
    """The replicas that answered, and those that should have and did not."""

    described: tuple[Description, ...]
    silent: tuple[ReplicaEntry, ...]

    def of(self, service: str) -> list[Description]:
        """Those of a service that answered, sorted by name."""
        found = [each for each in self.described if each.service == service]
        return sorted(found, key=lambda each: each.instance)


async def describe(bus: Bus, *services: str, busiest: int = 1) -> Replicas:
    """The descriptions of all replicas of some services, or of all services."""
    wanted = services or SERVICES
    expected = [each for each in await entries(bus) if each.service in wanted and not each.left]
    asked = Describe(busiest=busiest)
    answers = await asyncio.gather(
        *(
            ask_all(bus, service, asked, Description, _names(expected, service))
            for service in wanted
        )
    )
    described = tuple(each for part in answers for each in part)
    answered = {(each.service, each.instance) for each in described}
    silent = [each for each in expected if (each.service, each.instance) not in answered]
    return Replicas(described, tuple(sorted(silent, key=lambda each: each.instance)))


async def entries(bus: Bus) -> list[ReplicaEntry]:
    """The stored entries of replicas; none if the stream cannot be read."""
    try:
        stored = await Streams(bus).latest(
            subjects.REPLICAS_STREAM, subjects.REPLICA_SUBJECTS, limit=MAX_SUBJECTS
        )
    except BusUnavailable:
        return []
    found: list[ReplicaEntry] = []
    for each in stored:
        try:
            found.append(ReplicaEntry.model_validate_json(each.payload))
        except ValidationError:
            continue
    return found


async def ask_all(
    bus: Bus, service: str, request: OperatorRequest, answer: type[A], expected: Collection[str]
) -> list[A]:
    """The answers of all replicas of a service; it waits for those ``expected``."""
    gathered = _Gathered(len(expected))
    subject = subjects.operate(service, request.name)
    token = bus.ask(subject, request.to_json(), timeout_s=60.0, on_answer=gathered.take, many=True)
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await gathered.complete.wait()
            if not expected:
                await asyncio.sleep(OTHERS_S)
    except TimeoutError:
        pass
    finally:
        bus.forget(token)
    read = (_read(answer, message.payload) for message in gathered.messages)
    return [each for each in read if each is not None]


async def ask_one(
    bus: Bus, service: str, instance: str, request: OperatorRequest, answer: type[A]
) -> A | None:
    """The answer of the replica with that name; ``None`` if it does not answer."""
    try:
        message = await bus.request(
            subjects.operate(service, request.name),
            request.to_json(),
            headers={INSTANCE: instance},
            timeout_s=ANSWER_TIMEOUT_S,
        )
    except (BusTimeout, BusUnavailable):
        return None
    return _read(answer, message.payload)


def _read(answer: type[A], payload: bytes) -> A | None:
    """An answer; ``None`` if it cannot be read: its replica counts as silent."""
    try:
        return answer.model_validate_json(payload)
    except ValidationError:
        return None


def _names(expected: Collection[ReplicaEntry], service: str) -> list[str]:
    return [each.instance for each in expected if each.service == service]


class _Gathered:
    """Collected answers: complete once there are enough, or nobody listens."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self.messages: list[Message] = []
        self.complete = asyncio.Event()

    def take(self, answer: Answer) -> None:
        if isinstance(answer, Message):
            self.messages.append(answer)
        if not isinstance(answer, Message) or len(self.messages) >= max(self._expected, 1):
            self.complete.set()
