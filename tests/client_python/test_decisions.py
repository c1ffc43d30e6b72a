"""What the Python client decides, by itself: rooms, clocks, turns, retries, and what waits."""

import asyncio
import math
from collections.abc import Mapping
from random import Random
from types import SimpleNamespace
from typing import Any, cast, get_type_hints

import pytest

from harmonic_client import MissedEventsError, ParametersUpdated, PresenceUpdated, RoomJoined, merge
from harmonic_client.changes import (
    MusicChanges,
    PhysicsChanges,
    UniverseParameters,
    VisualizationChanges,
    to_wire,
)
from harmonic_client.clock import (
    LAST_INTERVAL_MS,
    MAX_SAMPLES,
    ClockReading,
    ClockSample,
    Samples,
    best,
    next_interval_ms,
    quality,
    reading,
    remember,
)
from harmonic_client.entering import RoomEntry
from harmonic_client.errors import RefusedError
from harmonic_client.events import (
    NOTES_PER_EVENT,
    EventFeed,
    EventQueue,
    NewerEvent,
    SeenFrames,
    read_event,
)
from harmonic_client.generation import generate
from harmonic_client.retry import (
    MAX_ATTEMPTS,
    GiveUp,
    RenewToken,
    SendAgain,
    after_refusal,
    is_passing,
    reconnect_pause_ms,
)
from harmonic_client.tasks import OwnTasks
from harmonic_client.throttle import held_back, pace_of, turn
from harmonic_protocol.messages.connection import ErrorReported
from harmonic_protocol.messages.music import MusicGenerated
from harmonic_protocol.messages.parameters import MUSIC, PARAMETER_SETS, PHYSICS
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused
from harmonic_protocol.values import Note, Participant, PhysicsParameters

NOW = "2024-03-21T10:30:00.000Z"
ANN = Participant(user_id="ann", username="Ann", mode="edit")
BEN = Participant(user_id="ben", username="Ben", mode="edit")


def told(seq: int, **physics: float) -> RoomJoined:
    parameters = {"physics": physics, "music": {}, "visualization": {}}
    return RoomJoined.model_validate(
        {
            "universeId": "u",
            "timestamp": NOW,
            "mode": "edit",
            "participants": [ANN],
            "parameters": parameters,
            "seq": seq,
        }
    )


def joined(seq: int = 5, **physics: float) -> merge.RoomView:
    return merge.entered(None, told(seq, **physics))


def physics_updated(seq: int | None, user: str, **physics: float) -> ParametersUpdated:
    return PHYSICS.event(
        universe_id="u",
        user_id=user,
        timestamp=NOW,
        changed=tuple(physics),
        seq=seq,
        parameters=PhysicsParameters(**physics),
    )


def gravity(room: merge.RoomView) -> float:
    return merge.parameters_of(room).physics.gravity


def sent(room: merge.RoomView, value: float, op_id: str) -> merge.RoomView:
    return merge.taken(merge.queued(room, {"physics": {"gravity": value}}), op_id)


def test_changes_are_typed_as_the_contract_declares_them() -> None:
    typed = {
        "physics": PhysicsChanges,
        "music": MusicChanges,
        "visualization": VisualizationChanges,
    }
    for name, declared in PARAMETER_SETS.items():
        assert get_type_hints(typed[name]) == get_type_hints(declared.values), name
    assert set(get_type_hints(UniverseParameters)) >= set(typed)


def test_fields_have_their_wire_names_when_they_are_sent() -> None:
    assert to_wire({"physics": {"air_resistance": 1}, "ocean": {"waveHeight": 2}}) == {
        "physics": {"airResistance": 1},
        "ocean": {"waveHeight": 2},
    }


def test_of_changes_to_the_same_field_the_later_one_counts_and_others_stay() -> None:
    earlier = {"physics": {"gravity": 1, "friction": 0.2}}
    assert merge.combine(earlier, {"physics": {"gravity": 2}, "music": {"tempo": 90}}) == {
        "physics": {"gravity": 2, "friction": 0.2},
        "music": {"tempo": 90},
    }


def test_own_values_are_shown_before_they_are_sent_while_they_are_and_when_they_are_stored() -> (
    None
):
    room = merge.queued(joined(), {"physics": {"gravity": 3}})
    assert gravity(room) == 3
    room = merge.taken(room, "one")
    assert (gravity(room), room.waiting) == (3, None)
    room = merge.acknowledged(room, "one", 6)
    assert gravity(room) == 3
    room = merge.updated(room, physics_updated(6, "ann", gravity=3))
    assert (gravity(room), room.sent) == (3, ())


def test_what_others_change_below_an_own_value_shows_when_the_own_one_is_stored() -> None:
    room = sent(joined(), 3, "one")
    room = merge.updated(room, physics_updated(6, "ben", gravity=8))
    assert gravity(room) == 3
    room = merge.updated(room, physics_updated(7, "ann", gravity=3))
    room = merge.updated(room, physics_updated(8, "ben", gravity=4))
    assert gravity(merge.acknowledged(room, "one", 7)) == 4


def test_a_refused_change_is_undone_and_what_was_asked_for_since_stays() -> None:
    room = merge.queued(sent(joined(), 99, "one"), {"music": {"tempo": 90}})
    room = merge.dropped(room, "one")
    assert gravity(room) == 9.81
    assert merge.parameters_of(room).music.tempo == 90


def test_a_change_that_waits_again_lies_below_what_was_asked_for_since() -> None:
    room = merge.queued(joined(), {"physics": {"gravity": 3, "friction": 0.1}})
    room = merge.queued(merge.taken(room, "one"), {"physics": {"gravity": 4}})
    room = merge.returned(room, "one")
    assert (room.waiting, room.sent) == ({"physics": {"gravity": 4, "friction": 0.1}}, ())
    assert merge.returned(room, "another") == room


def test_each_set_of_a_change_is_settled_by_its_own_frame() -> None:
    changes = {"physics": {"gravity": 3}, "music": {"tempo": 90}}
    room = merge.acknowledged(merge.taken(merge.queued(joined(), changes), "one"), "one", 7)
    music = MUSIC.event(
        universe_id="u",
        user_id="ann",
        timestamp=NOW,
        changed=("tempo",),
        seq=7,
        parameters=MUSIC.values(tempo=90),
    )
    room = merge.updated(room, music)
    assert room.sent == (merge.SentChanges("one", {"physics": {"gravity": 3}}, 6),)
    assert merge.updated(room, physics_updated(6, "ann", gravity=3)).sent == ()


def test_older_frames_and_values_told_as_current_change_nothing() -> None:
    room = joined()
    assert merge.updated(room, physics_updated(5, "ben", gravity=1)) is room
    current = physics_updated(None, "ben", gravity=1).model_copy(update={"current": True})
    assert merge.updated(room, current) is room


def test_entering_again_replaces_the_state_settles_what_it_holds_and_keeps_what_is_under_way() -> (
    None
):
    room = merge.acknowledged(sent(joined(), 3, "one"), "one", 6)
    room = merge.queued(sent(room, 4, "two"), {"physics": {"friction": 0.9}})
    room = merge.shown(merge.arrived(room, BEN, 7, None), [state("ann", 1), state("ben", 2)])
    room = merge.entered(room, told(8, gravity=3, friction=0.2))
    assert [one.op_id for one in room.sent] == ["two"]
    assert room.participants == (ANN,)
    assert room.presences == {"ann": {"cursor": 1}}
    assert (gravity(room), merge.parameters_of(room).physics.friction) == (4, 0.9)


def state(user: str, cursor: int) -> Any:
    return PresenceUpdated(universe_id="u", user_id=user, timestamp=NOW, state={"cursor": cursor})


def test_a_preview_ends_by_an_update_of_its_fields_or_without_values() -> None:
    tried = {"physics": {"gravity": 3, "air_resistance": 0.2}}
    room = merge.previewed(joined(), "ben", tried)
    update = physics_updated(6, "ben", gravity=3).model_copy(update={"changed": ("airResistance",)})
    assert merge.updated(room, update).previews == {"ben": {"physics": {"gravity": 3}}}
    assert merge.updated(room, physics_updated(6, "ben", gravity=3)).previews == {
        "ben": {"physics": {"air_resistance": 0.2}}
    }
    assert merge.previewed(room, "ben", {}).previews == {}


def test_what_is_tried_out_lies_above_all_and_ends_by_being_sent() -> None:
    room = merge.trying(sent(joined(), 3, "one"), {"physics": {"gravity": 7, "friction": 0.1}})
    assert gravity(room) == 7
    room = merge.queued(room, {"physics": {"gravity": 8}})
    assert (room.tried, gravity(room)) == ({"physics": {"friction": 0.1}}, 8)
    assert merge.trying(room, {"physics": {}}).tried == {}


def test_participants_come_change_and_go_in_the_order_of_their_numbers() -> None:
    room = merge.shown(merge.arrived(joined(), BEN, 6, "ann"), [state("ben", 1)])
    room = merge.previewed(room, "ben", {"physics": {"gravity": 1}})
    viewer = ANN.model_copy(update={"mode": "view"})
    room = merge.arrived(room, viewer, 7, "ann")
    assert (room.participants, room.mode) == ((viewer, BEN), "view")
    assert merge.arrived(room, ANN, 7, "ann") is room
    assert merge.left(room, "ben", 7) is room
    room = merge.left(room, "ben", 8)
    assert (room.participants, room.previews, room.presences) == ((viewer,), {}, {})


def test_a_set_that_only_the_server_knows_is_sent_and_not_shown() -> None:
    room = merge.taken(merge.queued(joined(), {"ocean": {"salt": 1}}), "one")
    assert merge.parameters_of(room) == joined().committed
    assert merge.acknowledged(room, "one", 6).sent == ()


def test_the_clock_is_that_of_the_fastest_ways() -> None:
    slow_there, slow_back = ClockSample(130, 90), ClockSample(110, 20)
    assert reading(slow_there) == ClockReading(offset_ms=110, rtt_ms=40)
    assert best((slow_there, None, slow_back)) == ClockReading(offset_ms=100, rtt_ms=20)
    assert best((None,)) is None


def test_only_the_newest_samples_count() -> None:
    samples: tuple[ClockSample | None, ...] = (ClockSample(0, 0),)
    for _ in range(MAX_SAMPLES):
        samples = remember(samples, None)
    assert samples == (None,) * MAX_SAMPLES


@pytest.mark.parametrize(("before", "after"), [(1000, 9000), (9000, 1000)])
def test_samples_that_contradict_newer_ones_are_forgotten(before: float, after: float) -> None:
    samples: Samples = ()
    for offset_ms in (*[before] * 20, after):
        samples = remember(samples, ClockSample(offset_ms + 40, offset_ms - 40))

    assert best(samples) == ClockReading(offset_ms=after, rtt_ms=80)


def test_a_clock_that_drifts_is_followed_however_short_the_round_trips_are() -> None:
    samples: Samples = ()
    # 50 ppm: half a millisecond in 10 s, and a round trip takes one.
    for number in range(100):
        samples = remember(samples, ClockSample(number / 2 + 0.5, number / 2 - 0.5))

    known = best(samples)
    assert known is not None
    assert abs(known.offset_ms - 99 / 2) <= 0.5


def estimated(at_ms: float, random: Random) -> float:
    """What a client takes the offset for, which is 0.

    It is 80 ms away, each message takes up to 40 ms more, and none overtakes another.
    """
    samples: Samples = ()
    asked_ms, arrived_ms, back_ms, interval_ms = 0.0, 0.0, 0.0, 0.0
    while True:
        arrived_ms = max(arrived_ms, asked_ms + 80 + 40 * random.random())
        back_ms = max(back_ms, arrived_ms + 80 + 40 * random.random())
        if back_ms > at_ms:
            known = best(samples)
            return known.offset_ms if known else math.inf
        samples = remember(samples, ClockSample(arrived_ms - asked_ms, arrived_ms - back_ms))
        interval_ms = next_interval_ms(interval_ms)
        asked_ms += interval_ms


@pytest.mark.parametrize(("at_ms", "most_ms"), [(700, 15), (1500, 12), (60_000, 10)])
def test_two_clients_under_80_ms_of_latency_and_40_ms_of_jitter_agree(
    at_ms: float, most_ms: float
) -> None:
    random = Random(0)
    apart = [abs(estimated(at_ms, random) - estimated(at_ms, random)) for _ in range(1000)]

    assert max(apart) <= most_ms


@pytest.mark.parametrize(
    ("rtts", "judged"),
    [
        ([10, 10, 10], "good"),
        ([10, 10, 900], "good"),
        ([10, None, 10], "fair"),
        ([300, 300, 10], "fair"),
        ([500, 500, 10], "poor"),
        ([10, None, None], "poor"),
        ([None], "poor"),
        ([None, 10, 10, 10, 10, 10], "good"),
    ],
)
def test_the_quality_is_judged_by_the_median_and_by_what_did_not_come(
    rtts: list[float | None], judged: str
) -> None:
    samples = tuple(None if rtt is None else ClockSample(rtt, 0) for rtt in rtts)
    assert quality(samples) == judged


def test_the_clock_is_asked_for_fifteen_times_in_the_first_300_ms_and_then_ever_more_seldom() -> (
    None
):
    interval_ms, at_ms, asked = 0.0, 0.0, 0
    while at_ms <= 300:
        asked += 1
        interval_ms = next_interval_ms(interval_ms)
        at_ms += interval_ms
    assert asked == 15
    for _ in range(100):
        interval_ms = next_interval_ms(interval_ms)
    assert interval_ms == LAST_INTERVAL_MS


def test_turns_are_an_interval_apart_and_the_first_is_at_once() -> None:
    pace = pace_of(60, 60_000)
    assert pace.interval_ms == 1050
    delay_ms, pace = turn(pace, 5000)
    assert delay_ms == 0
    delay_ms, pace = turn(pace, 5050)
    assert delay_ms == 1000
    assert turn(held_back(pace, 5050, 9000), 5050)[0] == 9000
    assert turn(held_back(pace, 5050, 10), 5050)[0] == 2050


def test_another_limit_does_not_bring_turns_forward() -> None:
    _, pace = turn(pace_of(60, 60_000), 5000)
    assert turn(pace_of(600, 60_000, pace), 5000)[0] == 1050
    assert pace_of(0, 1000).interval_ms == 1050


@pytest.mark.parametrize(
    ("reason", "retry_after_ms", "attempt", "what"),
    [
        (None, None, 1, GiveUp()),
        (Reason.VIEW_ONLY, None, 1, GiveUp()),
        (None, 300.0, 1, SendAgain(300)),
        (None, 2000.0, 1, GiveUp()),
        (Reason.BUSY, None, 1, SendAgain(200)),
        (Reason.OVERDUE, None, 3, SendAgain(800)),
        (Reason.EXPIRED, None, 1, RenewToken()),
        (Reason.BUSY, 10.0, MAX_ATTEMPTS, GiveUp()),
    ],
)
def test_what_follows_from_a_refusal(
    reason: Reason | None, retry_after_ms: float | None, attempt: int, what: object
) -> None:
    assert after_refusal(reason, retry_after_ms, attempt, max_pause_ms=1000) == what


@pytest.mark.parametrize(
    ("code", "details", "passes"),
    [
        (Code.INTERNAL_ERROR, {}, True),
        (Code.RATE_LIMITED, {"retryAfterMs": 100}, True),
        (Code.AUTH_ERROR, {"reason": "EXPIRED"}, True),
        (Code.RATE_LIMITED, {"reason": "QUEUE_FULL"}, True),
        (Code.AUTH_ERROR, {"reason": "REVOKED"}, False),
        (Code.NOT_FOUND, {}, False),
        (Code.PERMISSION_DENIED, {"reason": "KICKED"}, False),
        (Code.ROOM_FULL, {}, False),
    ],
)
def test_a_refusal_is_of_the_moment_or_for_good(
    code: Code, details: dict[str, object], *, passes: bool
) -> None:
    assert is_passing(Refused(code=code, message="no", details=details)) is passes


class Scripted:
    """A connection on which a piece fails in the very turn in which it was accepted."""

    user_id = "ann"

    def __init__(self, feed: EventFeed) -> None:
        self._feed = feed
        self.connection = self

    async def ask(
        self, _command: str, payload: Mapping[str, Any], _ready: object, is_final: Any
    ) -> int:
        for number in (1, 2):
            refused = self._refused(payload, f"busy-{number}")
            if number == 1:
                assert not is_final(RefusedError(refused))
            self._tell(refused)
            if number == 2:
                assert not is_final(RefusedError(refused))
        self._tell(self._refused({"opId": "another"}, "another"))
        self._tell(self._refused(payload, "late"))
        return 7

    def _refused(self, payload: Mapping[str, Any], error_id: str) -> Refused:
        details = {"opId": payload["opId"], "errorId": error_id}
        return Refused(code=Code.INTERNAL_ERROR, message=error_id, details=details)

    def _tell(self, refused: Refused) -> None:
        self._feed.tell(
            ErrorReported(code=refused.code, message=refused.message, details=refused.details)
        )


class Requester:
    id = "u"

    async def joined(self) -> None: ...


async def test_a_piece_that_fails_in_the_turn_of_its_ack_is_raised_at_once() -> None:
    feed = EventFeed()
    async with asyncio.timeout(5):
        with pytest.raises(RefusedError, match="late"):
            await generate(cast("Any", Scripted(feed)), Requester(), feed, {"duration": 1})


class Unanswering:
    """A connection whose namespace has ended: it answers nothing, and at once."""

    status = "connected"
    link: object = "a link"

    async def emit(self, *_: object) -> None:
        return None


async def test_a_join_that_is_not_answered_lets_others_have_their_turn() -> None:
    connection, tasks = Unanswering(), OwnTasks()
    entry = RoomEntry(cast("Any", SimpleNamespace(connection=connection)), "u", print, tasks)
    async with asyncio.timeout(20):
        entry.enter("edit")
        await asyncio.sleep(0)
        # As it is once the connection has ended, too.
        connection.link = None
        while entry.is_entering:  # noqa: ASYNC110 -- it changes by itself
            await asyncio.sleep(0.01)
    await tasks.end()


def test_connections_are_tried_ever_more_seldom_and_not_all_at_once() -> None:
    assert [reconnect_pause_ms(failures, 0.5) for failures in (0, 1, 2, 3, 4, 5, 99)] == [
        *(500, 500, 1000, 2000, 4000),
        *(5000, 5000),
    ]
    assert (reconnect_pause_ms(1, 0), reconnect_pause_ms(1, 1)) == (250, 750)


def test_an_event_is_read_as_its_class_and_one_of_a_newer_contract_as_it_came() -> None:
    event = physics_updated(6, "ann", gravity=3)
    assert read_event("physics_updated", event.to_wire()) == event
    newer = {**event.to_wire(), "newer": 1}
    assert read_event("physics_updated", newer) == event
    for name, data in (("tides_turned", {"a": 1}), ("physics_updated", {"gravity": 3})):
        assert read_event(name, data) == NewerEvent(name, data)


def test_a_frame_that_is_sent_again_is_known_and_a_room_that_is_joined_again_is_none() -> None:
    seen = SeenFrames(bound=2)
    assert [seen.is_repeated(physics_updated(seq, "ann")) for seq in (1, 2, 2, 1, 3)] == [
        *(False, False, True, True),
        False,
    ]
    # The first is forgotten.
    assert not seen.is_repeated(physics_updated(1, "ann"))
    assert not seen.is_repeated(told(3))
    assert not seen.is_repeated(physics_updated(None, "ann"))
    assert not seen.is_repeated(state("ann", 1))


async def test_a_slow_consumer_loses_live_signals_first_the_oldest_of_them() -> None:
    queue = EventQueue(bound=3)
    first, second = state("ann", 1), state("ann", 2)
    update, last = physics_updated(6, "ann", gravity=3), physics_updated(7, "ann", gravity=4)
    for event in (first, update, second, last):
        queue.put(event)
    queue.end()
    assert [event async for event in queue] == [update, second, last]


async def test_a_consumer_that_misses_stored_events_is_told_so() -> None:
    queue = EventQueue(bound=2)
    for seq in (1, 2, 3, 4):
        queue.put(physics_updated(seq, "ann"))
    with pytest.raises(MissedEventsError) as caught:
        await anext(queue)
    assert caught.value.missed == 3


def piece(notes: int) -> MusicGenerated:
    note = Note(pitch=60, start_time=0, duration=1, velocity=80)
    return MusicGenerated.model_construct(notes=(note,) * notes)


async def test_notes_count_for_what_waits() -> None:
    bound = 10
    queue = EventQueue(bound)
    for _ in range(3):
        # One that is larger than all that may wait waits alone.
        queue.put(piece(2 * bound * NOTES_PER_EVENT))
        assert (await anext(queue)) is not None
    for _ in range(5):
        queue.put(piece(NOTES_PER_EVENT))
    queue.put(piece(1))
    with pytest.raises(MissedEventsError) as caught:
        await anext(queue)
    assert caught.value.missed == 6


async def test_a_queue_that_ends_gives_first_what_waits_and_then_the_error() -> None:
    queue = EventQueue()
    waiting = asyncio.create_task(anext(queue))
    await asyncio.sleep(0)
    queue.put(physics_updated(1, "ann"))
    queue.put(physics_updated(2, "ann"))
    queue.end(ValueError("over"))
    queue.end()
    queue.put(physics_updated(3, "ann"))
    assert [(await waiting), await anext(queue)] == [
        physics_updated(1, "ann"),
        physics_updated(2, "ann"),
    ]
    for _ in range(2):
        with pytest.raises(ValueError, match="over"):
            await anext(queue)
