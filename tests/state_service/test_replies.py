"""Replies that cannot be sent as they are: callers choose where, and what is stored how much."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harmonic_protocol.envelope import Reply
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.wire import NO_HEADERS, Message
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import SystemClock
from harmonic_state.requests import Requests
from harness.broker import count
from harness.client import PATIENCE_S


def requests(bus: Bus, metrics: Metrics) -> Requests:
    """What takes requests, of which nothing is asked here but to reply."""
    nothing = cast("Any", None)
    return Requests(
        bus=bus,
        universes=nothing,
        creations=nothing,
        reads=nothing,
        means=cast("Any", SimpleNamespace(settings=SimpleNamespace(replica_id="replica"))),
        tracer=nothing,
        metrics=metrics,
        log=SampledLog(get_log(), SystemClock()),
    )


def asked(reply: str) -> Message:
    return Message("hu.state.replica.get_universe", b"", NO_HEADERS, reply, 0.0)


async def test_a_reply_that_no_message_can_hold_is_a_failure_of_this_request_alone(
    own_bus: Bus,
) -> None:
    metrics = Metrics()
    answering = requests(own_bus, metrics)
    inbox, came = own_bus.new_inbox(), asyncio.Queue[bytes]()
    await own_bus.subscribe(inbox, lambda message: came.put_nowait(message.payload))
    answering._answer(asked(inbox), Reply(result={"text": "x" * 2_000_000}))
    answering._answer(asked(inbox), Reply(result={"text": "x"}))
    async with asyncio.timeout(PATIENCE_S):
        first, second = [Reply.model_validate_json(await came.get()) for _ in range(2)]
    assert first.error is not None
    assert first.error.code == "INTERNAL_ERROR"
    assert second.result == {"text": "x"}


@pytest.mark.parametrize("place", ["two words", "a\rb", "a\tb"])
async def test_a_caller_that_names_no_subject_is_not_answered(own_bus: Bus, place: str) -> None:
    metrics = Metrics()
    requests(own_bus, metrics)._answer(asked(place), Reply(result={}))
    assert count(metrics, "replies_lost_total") == 1
