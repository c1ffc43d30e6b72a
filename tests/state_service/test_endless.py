"""The endless piece, as the domain decides it."""

from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import CloseConnection, RecordBar
from harmonic_protocol.log import BarRecorded, OperationApplied
from harmonic_protocol.messages.endless import MusicStarted, MusicStopped
from harmonic_state.domain.answers import answer
from harmonic_state.domain.decide import Decision, decide
from harmonic_state.domain.endless import EMPTY_S, FIRST_LEAD_MS, LATE_LEAD_MS, LEAST_LEAD_MS
from harmonic_state.domain.evolve import evolve
from harmonic_state.domain.presence import DecisionInputs
from harmonic_state.domain.universe import Universe
from harmonic_state.snapshots import Snapshot, decode_snapshot, encode_snapshot
from state_service.builders import UNIVERSE, History, caller, command, open_universe

ANN, BOB = caller("ann"), caller("bob")
OWNER_ITSELF = Caller("", "")
EDIT, VIEW = command("join_room", mode="edit"), command("join_room", mode="view")
#: Long after whatever a history's milliseconds say: a bar that begins there is never late.
FAR_US = 10**12


def playing() -> tuple[History, MusicStarted, BarRecorded]:
    history = open_universe()
    history.does(EDIT, ANN)
    started, first = history.does(command("start_music", seed=7, style="waltz"), ANN)
    assert isinstance(started, MusicStarted)
    assert isinstance(first, BarRecorded)
    return history, started, first


def due(stream_id: str, number: int, starts_us: int = FAR_US, state: str = "s") -> RecordBar:
    return RecordBar(
        universe_id=UNIVERSE, stream_id=stream_id, bar=number, starts_us=starts_us, state=state
    )


def recorded(history: History, request: RecordBar) -> BarRecorded:
    (event,) = history.does(request, OWNER_ITSELF)
    assert isinstance(event, BarRecorded)
    return event


def at(universe: Universe, request: RecordBar, timestamp: str, unix_ms: int) -> Decision:
    decision = decide(universe, request, OWNER_ITSELF, DecisionInputs(timestamp, unix_ms))
    assert isinstance(decision, Decision)
    return decision


def test_a_piece_begins_with_the_record_of_its_first_bar() -> None:
    history, started, first = playing()
    assert (started.seed, started.style, started.user_id) == (7, "waltz", "ann")
    assert (first.stream_id, first.bar, first.state) == (started.stream_id, 0, None)
    assert first.starts_us == (history.milliseconds + FIRST_LEAD_MS) * 1000
    assert (first.music, first.physics) == (
        history.now.parameters.music,
        history.now.parameters.physics,
    )
    assert history.now.endless is not None
    assert history.now.endless.latest == first


def test_its_start_and_its_end_are_the_next_frames_and_the_latest_changes() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    for name in ("start_music", "stop_music"):
        before = history.now
        event = history.does(command(name), ANN)[0]
        assert isinstance(event, MusicStarted | MusicStopped)
        assert event.seq == history.now.seq == before.seq + 1
        assert event.timestamp == history.now.updated_at > before.updated_at


def test_a_seed_is_drawn_where_none_is_given() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    started, _ = history.does(command("start_music"), ANN)
    assert isinstance(started, MusicStarted)
    assert (started.seed, started.style) == (history.milliseconds, None)


def test_a_second_start_is_refused_and_names_the_piece_that_is_played() -> None:
    history, started, _ = playing()
    history.does(EDIT, BOB)
    refusal = history.is_refused(command("start_music"), BOB)
    assert refusal.code == "INVALID_PARAMETERS"
    assert refusal.message == "The universe plays already"
    assert refusal.details == {"reason": "PLAYING", "streamId": started.stream_id}


def test_the_same_start_sent_twice_is_one_start() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    first = history.ask(command("start_music", opId="x"), ANN)
    again = history.ask(command("start_music", opId="x"), ANN)
    assert isinstance(first, Decision)
    assert isinstance(first.events[-1], OperationApplied)
    assert again == Decision((), first.seq)


def test_who_only_views_neither_starts_nor_stops_it() -> None:
    history, *_ = playing()
    history.does(VIEW, BOB)
    for name in ("start_music", "stop_music"):
        refusal = history.is_refused(command(name), BOB)
        assert (refusal.code, refusal.details["reason"]) == ("PERMISSION_DENIED", "VIEW_ONLY")
    refusal = history.is_refused(command("stop_music"), caller("eve"))
    assert refusal.details["reason"] == "NOT_IN_ROOM"


def test_it_ends_for_all_and_another_one_may_begin() -> None:
    history, started, _ = playing()
    history.does(EDIT, BOB)
    (stopped,) = history.does(command("stop_music"), BOB)
    assert isinstance(stopped, MusicStopped)
    assert (stopped.stream_id, stopped.reason, stopped.user_id) == (
        started.stream_id,
        "stopped",
        "bob",
    )
    assert stopped.timestamp < stopped.ends_at
    assert history.now.endless is None
    refusal = history.is_refused(command("stop_music"), ANN)
    assert (refusal.code, refusal.message) == ("NOT_FOUND", "The universe plays nothing")
    assert refusal.details == {"reason": "SILENT"}
    assert history.does(command("start_music"), ANN)


def test_a_bar_begins_where_the_one_before_ends_whatever_the_clock_says() -> None:
    history, started, _ = playing()
    for number in range(1, 2000):
        ends_us = FAR_US + number * 1_999_999
        bar = recorded(history, due(started.stream_id, number, ends_us))
        assert (bar.bar, bar.starts_us) == (number, ends_us)


def test_a_bar_that_comes_too_late_begins_later_and_never_earlier() -> None:
    history, started, _ = playing()
    universe, now_ms = history.now, 10**9
    timestamp = universe.updated_at

    def begins_us(starts_us: int) -> int:
        (bar,) = at(universe, due(started.stream_id, 1, starts_us), timestamp, now_ms).events
        assert isinstance(bar, BarRecorded)
        return bar.starts_us

    in_time_us = (now_ms + LEAST_LEAD_MS) * 1000
    assert begins_us(in_time_us) == in_time_us
    assert begins_us(in_time_us - 1) == (now_ms + LATE_LEAD_MS) * 1000
    assert begins_us(0) == (now_ms + LATE_LEAD_MS) * 1000


def test_a_bar_is_recorded_once_whoever_records_it() -> None:
    history, started, _ = playing()
    assert history.does(due(started.stream_id, 1), OWNER_ITSELF)
    assert history.does(due(started.stream_id, 1), OWNER_ITSELF) == []
    assert history.does(due(started.stream_id, 3), OWNER_ITSELF) == []
    assert history.does(due("another", 2), OWNER_ITSELF) == []
    history.does(command("stop_music"), ANN)
    assert history.does(due(started.stream_id, 2), OWNER_ITSELF) == []
    assert History().does(due(started.stream_id, 0), OWNER_ITSELF) == []


def test_a_logged_bar_of_another_piece_than_is_played_changes_nothing() -> None:
    silent = open_universe().now
    history, _, first = playing()
    stray = first.model_copy(update={"stream_id": "another", "bar": 9})
    for universe in (silent, history.now):
        assert evolve(universe, stray) == universe


def test_a_bar_has_the_parameters_of_its_record_and_says_as_of_which_update() -> None:
    history, started, first = playing()
    history.does(command("update_music", parameters={"tempo": 91}), ANN)
    bar = recorded(history, due(started.stream_id, 1))
    assert (first.music.tempo, bar.music.tempo) == (120, 91)
    assert bar.as_of == history.now.seq
    assert bar.state == "s"


def test_bars_have_no_number_of_a_frame_and_do_not_count_as_a_change() -> None:
    history, started, _ = playing()
    before = history.now
    recorded(history, due(started.stream_id, 1))
    assert (history.now.seq, history.now.updated_at) == (before.seq, before.updated_at)


def test_it_ends_once_nobody_has_been_there_for_long_enough() -> None:
    history, started, _ = playing()
    history.does(CloseConnection(universe_id=UNIVERSE), ANN)
    universe = history.now
    assert universe.endless is not None
    assert universe.endless.empty_since == universe.updated_at
    assert universe.updated_at == "2024-03-21T10:30:00.004Z"
    assert EMPTY_S == 30
    (bar,) = at(universe, due(started.stream_id, 1), "2024-03-21T10:30:30.003Z", 0).events
    assert isinstance(bar, BarRecorded)
    (stopped,) = at(universe, due(started.stream_id, 1), "2024-03-21T10:30:30.004Z", 0).events
    assert isinstance(stopped, MusicStopped)
    assert (stopped.reason, stopped.user_id, stopped.seq) == ("empty", None, universe.seq + 1)


def test_it_goes_on_for_who_is_back_in_time() -> None:
    history, started, _ = playing()
    history.does(EDIT, BOB)
    history.does(command("leave_room"), ANN)
    assert history.now.endless is not None
    assert history.now.endless.empty_since is None
    history.does(command("leave_room"), BOB)
    history.does(VIEW, ANN)
    (bar,) = at(history.now, due(started.stream_id, 1), "2024-03-21T11:30:00.000Z", 0).events
    assert isinstance(bar, BarRecorded)


def test_the_owners_deletion_ends_it() -> None:
    history, started, _ = playing()
    history.does(command("delete_universe"), caller("owner"))
    assert history.now.endless is None
    assert history.does(due(started.stream_id, 1), OWNER_ITSELF) == []


def test_clients_that_enter_or_follow_are_told_of_it() -> None:
    history, started, _ = playing()
    events = history.does(VIEW, BOB)
    moment = DecisionInputs(history.now.updated_at, 0)
    told = answer(VIEW, BOB, moment, events, history.now)
    followed = answer(command("follow_universe"), BOB, moment, [], history.now)
    assert told is not None
    assert followed is not None
    piece = {
        "streamId": started.stream_id,
        "userId": "ann",
        "style": "waltz",
        "seed": 7,
        "startedAt": started.timestamp,
    }
    assert told.to_wire()["room"]["endlessPiece"] == piece  # type: ignore[index]
    assert followed.to_wire()["state"]["endlessPiece"] == piece  # type: ignore[index]


def test_a_stored_universe_keeps_it_with_its_latest_bar() -> None:
    history, started, _ = playing()
    recorded(history, due(started.stream_id, 1, state='{"of": "bytes"}'))
    for packed in (False, True):
        stored = encode_snapshot(Snapshot(1, history.now), packed=packed)
        assert decode_snapshot(stored).universe.endless == history.now.endless
