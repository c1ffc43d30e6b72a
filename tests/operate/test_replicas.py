"""What the operator's command makes of replicas' answers."""

import asyncio
from typing import Any, cast

from harmonic_operator.replicas import ask_all, ask_one
from harmonic_protocol.operating import Describe, Done
from harmonic_runtime.bus.wire import Message


class Bus:
    """Replicas that answer at once: two in order, and one of another world."""

    def __init__(self, *payloads: bytes) -> None:
        self._answers = [Message("", payload, {}, "", 0.0) for payload in payloads]

    def ask(self, *_: object, on_answer: Any, **__: object) -> str:
        for answer in self._answers:
            on_answer(answer)
        return "a reply subject"

    def forget(self, _: str) -> None:
        pass

    async def request(self, *_: object, **__: object) -> Message:
        await asyncio.sleep(0)
        return self._answers[0]


async def test_an_answer_that_cannot_be_read_spoils_no_other() -> None:
    bus = cast("Any", Bus(b"{}", b'{"instance":', b"{}"))
    found = await ask_all(bus, "gateway", Describe(busiest=1), Done, ["a", "b", "c"])
    assert found == [Done(), Done()]


async def test_whoever_answers_what_cannot_be_read_counts_as_silent() -> None:
    bus = cast("Any", Bus(b"no JSON"))
    assert await ask_one(bus, "gateway", "a", Describe(busiest=1), Done) is None
