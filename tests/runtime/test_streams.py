"""Streams: setting them up, and appending to them."""

import asyncio
import json

import pytest

from harmonic_runtime.bus.client import Bus, BusUnavailable, MessageTooLarge, NoResponders
from harmonic_runtime.bus.jetstream import ApiRefused, call
from harmonic_runtime.bus.streams import (
    SETUP_CALL_TIMEOUT_S,
    AppendUnknown,
    StreamFull,
    Streams,
    WrongSequence,
)
from harmonic_runtime.process.failures import CannotStart
from harness.broker import Broker, OpenBus, connected, freeze, frozen, outage
from harness.held_bus import held_bus

ASKED_AGAIN = 3


def stream(name: str, **settings: object) -> dict[str, object]:
    return {
        "name": name,
        "subjects": [f"{name}.>"],
        "storage": "file",
        "num_replicas": 1,
        "allow_direct": True,
        **settings,
    }


async def test_a_stream_is_set_up_by_several_replicas_at_once(streams: Streams, word: str) -> None:
    await asyncio.gather(*(streams.ensure(stream(word), version=1) for _ in range(5)))
    assert await streams.append(f"{word}.a", b"1", timeout_s=2) == 1


async def test_a_stream_that_is_there_is_brought_up_to_date_and_keeps_its_messages(
    bus: Bus, streams: Streams, word: str
) -> None:
    await streams.ensure(stream(word), version=1)
    await streams.append(f"{word}.a", b"1", timeout_s=2)
    await streams.ensure(stream(word, max_msgs=10), version=2)
    answer = await call(bus, f"STREAM.INFO.{word}", {})
    assert (answer["config"]["max_msgs"], answer["state"]["messages"]) == (10, 1)


async def test_a_stream_that_cannot_be_as_wanted_is_told_in_a_sentence(
    streams: Streams, word: str
) -> None:
    await streams.ensure(stream(word), version=1)
    with pytest.raises(CannotStart, match=rf"^The stream {word} cannot be set up: .*retention"):
        await streams.ensure(stream(word, retention="workqueue"), version=2)


async def test_who_needs_a_stream_waits_until_another_has_made_it(
    streams: Streams, word: str
) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(streams.wait_for(word))
        with pytest.raises(BusUnavailable):
            await streams.last(word, f"{word}.a")
        assert not waiting.done()
        await streams.ensure(stream(word), version=1)


async def test_what_brokers_without_a_leader_did_not_answer_is_asked_again(
    shared_broker: Broker, streams: Streams, word: str
) -> None:
    await streams.ensure(stream(word), version=1)
    asked: list[bytes] = []
    often = asyncio.Event()

    def is_meant(question: bytes) -> bool:
        asked.append(question)
        if len(asked) == ASKED_AGAIN:
            often.set()
        return True

    async with held_bus(shared_broker.url) as way, connected(way.url) as patient:
        with way.hold(lambda subject: subject == f"$JS.API.STREAM.INFO.{word}", is_meant) as held:
            # Within the time that one answer to a change may take.
            waiting = asyncio.create_task(
                Streams(patient, patience_s=SETUP_CALL_TIMEOUT_S).wait_for(word)
            )
            await often.wait()
            held.release()
            assert (await waiting)["config"]["name"] == word


async def test_a_stream_that_never_comes_is_told_in_a_sentence(bus: Bus, word: str) -> None:
    with pytest.raises(CannotStart, match=rf"^The stream {word} is not there: stream not found"):
        await Streams(bus, patience_s=0.5).wait_for(word)


async def test_an_append_at_the_expected_position_is_stored_there(
    streams: Streams, word: str
) -> None:
    await streams.ensure(stream(word), version=1)
    first = await streams.append(f"{word}.a", b"1", timeout_s=2, expected_last_subject_sequence=0)
    await streams.append(f"{word}.b", b"other", timeout_s=2)
    second = await streams.append(
        f"{word}.a", b"2", timeout_s=2, expected_last_subject_sequence=first
    )
    assert (first, second) == (1, 3)


@pytest.mark.parametrize("expected", [0, 2, 7])
async def test_an_append_at_another_position_is_not_stored(
    streams: Streams, word: str, expected: int
) -> None:
    await streams.ensure(stream(word), version=1)
    await streams.append(f"{word}.a", b"1", timeout_s=2)
    with pytest.raises(WrongSequence):
        await streams.append(
            f"{word}.a", b"2", timeout_s=2, expected_last_subject_sequence=expected
        )
    stored = await streams.last(word, f"{word}.a")
    assert stored is not None
    assert stored.payload == b"1"


async def test_of_two_appends_at_one_position_one_is_stored(streams: Streams, word: str) -> None:
    await streams.ensure(stream(word), version=1)
    outcomes = await asyncio.gather(
        *(
            streams.append(f"{word}.a", b"1", timeout_s=2, expected_last_subject_sequence=0)
            for _ in range(2)
        ),
        return_exceptions=True,
    )
    assert {type(outcome) for outcome in outcomes} == {int, WrongSequence}


@pytest.mark.parametrize(
    "limit",
    [
        pytest.param({"max_msgs": 1, "discard": "new"}, id="messages"),
        pytest.param({"max_bytes": 1000, "discard": "new"}, id="bytes"),
        pytest.param(
            {"max_msgs_per_subject": 1, "discard": "new", "discard_new_per_subject": True},
            id="messages of the subject",
        ),
        pytest.param({"max_msg_size": 600}, id="bytes of one message"),
    ],
)
async def test_a_full_stream_stores_nothing_more(
    streams: Streams, word: str, limit: dict[str, object]
) -> None:
    await streams.ensure(stream(word, **limit), version=1)
    await streams.append(f"{word}.a", b"1" * 500, timeout_s=2)
    with pytest.raises(StreamFull):
        await streams.append(f"{word}.a", b"2" * 601, timeout_s=2)
    stored = await streams.last(word, f"{word}.a")
    assert stored is not None
    assert stored.payload == b"1" * 500


async def test_a_message_above_the_brokers_bound_is_not_sent(bus: Bus, streams: Streams) -> None:
    with pytest.raises(MessageTooLarge):
        await streams.append("any", b"x" * (bus.connection.max_payload + 1), timeout_s=2)


async def test_where_no_stream_listens_nothing_was_stored(streams: Streams, word: str) -> None:
    with pytest.raises(NoResponders):
        await streams.append(f"{word}.a", b"1", timeout_s=2)


async def test_the_outcome_is_unknown_where_the_broker_does_not_answer(
    own_broker: Broker,
) -> None:
    async with connected(own_broker.url) as bus:
        streams = Streams(bus)
        await streams.ensure(stream("S"), version=1)
        with frozen(own_broker), pytest.raises(AppendUnknown):
            await streams.append("S.a", b"1", timeout_s=0.1, expected_last_subject_sequence=0)
        # It is stored later, as the same append again finds out.
        with pytest.raises(WrongSequence):
            await streams.append("S.a", b"1", timeout_s=5, expected_last_subject_sequence=0)


async def test_the_outcome_is_unknown_where_the_connection_is_lost(own_broker: Broker) -> None:
    async with connected(own_broker.url) as bus:
        streams = Streams(bus)
        await streams.ensure(stream("S"), version=1)
        freeze(own_broker)
        appending = asyncio.ensure_future(streams.append("S.a", b"1", timeout_s=30))
        await asyncio.sleep(0)
        own_broker.process.kill()
        with pytest.raises(AppendUnknown):
            await appending


async def test_without_the_bus_nothing_is_sent_and_that_is_known(own_broker: Broker) -> None:
    async with connected(own_broker.url) as bus:
        streams = Streams(bus)
        await streams.ensure(stream("S"), version=1)
        async with outage(own_broker, bus):
            with pytest.raises(BusUnavailable) as caught:
                await streams.append("S.a", b"1", timeout_s=5)
            assert not isinstance(caught.value, AppendUnknown)
        assert await streams.append("S.a", b"1", timeout_s=5) == 1


async def answers(leader: Bus, subject: str, *codes: int, text: str = "") -> None:
    """Another stands in for a stream's leader: these errors, and then success."""
    errors = [{"error": {"code": 400, "err_code": code, "description": text}} for code in codes]
    prepared = [*errors, {"seq": 7}]
    await leader.subscribe(
        subject, lambda asked: leader.post(asked.reply, json.dumps(prepared.pop(0)).encode())
    )
    await leader.flush()


@pytest.mark.parametrize("contended", [10163, 10164])
async def test_an_append_whose_place_is_contended_for_is_tried_again(
    streams: Streams, word: str, peer: OpenBus, contended: int
) -> None:
    async with peer() as leader:
        await answers(leader, word, contended, contended)
        assert await streams.append(word, b"1", timeout_s=5) == 7


async def test_an_append_whose_place_stays_contended_for_was_not_stored(
    streams: Streams, word: str, peer: OpenBus
) -> None:
    async with peer() as leader:
        await answers(leader, word, *[10164] * 1000)
        with pytest.raises(BusUnavailable, match="under way") as caught:
            await streams.append(word, b"1", timeout_s=0.5)
    assert not isinstance(caught.value, AppendUnknown)


@pytest.mark.parametrize(
    ("code", "text", "outcome"),
    [
        (10071, "wrong last sequence: 5", WrongSequence),
        (10077, "maximum bytes exceeded", StreamFull),
        (10077, "store is closed", AppendUnknown),
        (10002, "resource limits exceeded for account", StreamFull),
        (10023, "insufficient resources", StreamFull),
        (10167, "too many requests", ApiRefused),
        (99999, "something new", AppendUnknown),
    ],
)
async def test_what_the_leader_answers_tells_the_outcome(
    bus: Bus, word: str, code: int, text: str, outcome: type[Exception]
) -> None:
    await answers(bus, word, code, text=text)
    with pytest.raises(outcome, match=text) as caught:
        await Streams(bus).append(word, b"1", timeout_s=5)
    assert type(caught.value) is outcome


async def test_a_purge_removes_one_subject_and_may_be_repeated(streams: Streams, word: str) -> None:
    await streams.ensure(stream(word), version=1)
    for subject in (f"{word}.a", f"{word}.b", f"{word}.a"):
        await streams.append(subject, b"1", timeout_s=2)
    await streams.purge(word, f"{word}.a")
    await streams.purge(word, f"{word}.a")
    assert await streams.last(word, f"{word}.a") is None
    assert await streams.last(word, f"{word}.b") is not None
