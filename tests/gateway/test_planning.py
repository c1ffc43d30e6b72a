"""Which session a client goes on with: by its kind, its end, and the time since."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonic_gateway.delivery.places import Place
from harmonic_gateway.identity.fingerprints import Fingerprints
from harmonic_gateway.membership.saved import Found
from harmonic_gateway.recovery.planning import (
    Ask,
    BeginAnew,
    Claim,
    InvalidClaim,
    Surroundings,
    TakeOver,
    choose,
    is_in_time,
    places_by_claim,
    places_by_heartbeat,
    read_claim,
    said_places,
    with_acknowledged,
)
from harmonic_protocol.internal import ConnectionChecked, Liveness, SavedRoom, SavedSession
from harmonic_protocol.log import FIRST_MARK
from harmonic_protocol.reasons import RecoveryReason

NOW_MS, WINDOW_MS = 1_000_000, 120_000
AROUND = Surroundings(frozenset({"g1", "g2"}), {}, NOW_MS, WINDOW_MS)
OWN, OTHER = "own", "other"


def session(name: str = "a", **fields: Any) -> Found:
    """A session that ended 10 s ago, broken, unless ``fields`` say otherwise."""
    saved = SavedSession(
        **{
            "connection_id": name,
            "gateway_id": "g1",
            "rooms": {"u": SavedRoom(mode="edit", position=5)},
            "saved_ms": NOW_MS - 50_000,
            "ended_ms": NOW_MS - 10_000,
            "fingerprint": OWN,
            **fields,
        }
    )
    return Found(saved, f"hu.session.user.{name}", 1)


def test_a_broken_session_is_taken_over() -> None:
    assert choose([session()], OWN, AROUND) == TakeOver(session())


def test_of_several_the_one_that_broke_last_is_taken_over_whatever_was_saved_last() -> None:
    ends = (30_000, 10_000, 20_000)
    sessions = [session(str(ago), ended_ms=NOW_MS - ago) for ago in ends]
    assert choose(sessions, OWN, AROUND) == TakeOver(sessions[1])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"said_goodbye": True}, RecoveryReason.GOODBYE),
        ({"ended_ms": NOW_MS - WINDOW_MS - 1}, RecoveryReason.WINDOW),
        ({"ended_ms": NOW_MS - WINDOW_MS - 1, "said_goodbye": True}, RecoveryReason.WINDOW),
        ({"taken_over": True}, RecoveryReason.NONE),
        ({"rooms": {}}, RecoveryReason.NONE),
        ({"fingerprint": OTHER}, RecoveryReason.NONE),
    ],
)
def test_what_is_not_taken_over_and_why(fields: dict[str, Any], reason: RecoveryReason) -> None:
    assert choose([session(**fields)], OWN, AROUND) == BeginAnew(reason)


def test_a_goodbye_within_the_window_says_more_than_an_older_end() -> None:
    goodbye = session("a", said_goodbye=True)
    old = session("b", ended_ms=NOW_MS - WINDOW_MS - 1)
    for sessions in ([goodbye, old], [old, goodbye]):
        assert choose(sessions, OWN, AROUND) == BeginAnew(RecoveryReason.GOODBYE)


def test_the_window_includes_its_last_moment() -> None:
    at_the_edge = session(ended_ms=NOW_MS - WINDOW_MS)
    assert choose([at_the_edge], OWN, AROUND) == TakeOver(at_the_edge)


def test_a_session_of_the_version_before_says_no_kind_of_client_and_fits_all() -> None:
    earlier = session(fingerprint=None)
    assert choose([earlier], OWN, AROUND) == TakeOver(earlier)


def test_sessions_that_have_not_ended_are_asked_for_unless_one_is_broken() -> None:
    live = [session(name, ended_ms=None, gateway_id=name) for name in ("g1", "g2")]
    assert choose(live, OWN, AROUND) == Ask(tuple(live))
    broken = session("b")
    assert choose([*live, broken], OWN, AROUND) == TakeOver(broken)


def test_a_session_ends_with_its_gateway_as_far_as_that_is_known() -> None:
    orphan = session(ended_ms=None, gateway_id="dead", saved_ms=NOW_MS - WINDOW_MS - 1)
    assert choose([orphan], OWN, AROUND) == BeginAnew(RecoveryReason.WINDOW)
    seen = replace(AROUND, last_signs_ms={"dead": NOW_MS - 5_000})
    assert choose([orphan], OWN, seen) == TakeOver(orphan)
    long_dead = replace(AROUND, last_signs_ms={"dead": NOW_MS - WINDOW_MS - 1})
    assert choose([orphan], OWN, long_dead) == BeginAnew(RecoveryReason.WINDOW)
    saved_since = session(ended_ms=None, gateway_id="dead", saved_ms=NOW_MS)
    assert choose([saved_since], OWN, long_dead) == TakeOver(saved_since)


SESSIONS = st.lists(
    st.builds(
        session,
        st.sampled_from("abcdef"),
        gateway_id=st.sampled_from(["g1", "dead"]),
        rooms=st.sampled_from([{}, {"u": SavedRoom(mode="view", position=1)}]),
        ended_ms=st.sampled_from([None, *range(NOW_MS - 2 * WINDOW_MS, NOW_MS, WINDOW_MS // 2)]),
        said_goodbye=st.booleans(),
        taken_over=st.booleans(),
        fingerprint=st.sampled_from([OWN, OTHER, None]),
    ),
    max_size=6,
)


@given(SESSIONS)
def test_whatever_the_sessions_none_is_taken_over_that_may_not_be(sessions: list[Found]) -> None:
    match choose(sessions, OWN, AROUND):
        case TakeOver(found):
            chosen, ended_ms = [found], found.saved.ended_ms
            assert not found.saved.said_goodbye
            if ended_ms is None:
                assert found.saved.gateway_id not in AROUND.alive
            else:
                assert NOW_MS - ended_ms <= WINDOW_MS
        case Ask(chosen):
            assert all(each.saved.ended_ms is None for each in chosen)
            assert all(each.saved.gateway_id in AROUND.alive for each in chosen)
        case BeginAnew():
            chosen = []
    for found in chosen:
        assert found.saved.rooms
        assert not found.saved.taken_over
        assert found.saved.fingerprint in {OWN, None}


def test_what_a_client_says_is_read_from_its_auth_and_the_query() -> None:
    assert read_claim({"pid": 1, "offset": "u:1"}, {}) == Claim(says_pid=True, pid=1, offset="u:1")
    assert read_claim({"token": "t"}, {}) == Claim()
    assert read_claim(None, {"recovery": "0"}) == Claim(declines=True)
    assert read_claim({"recovery": 0}, {}) == Claim(declines=True)
    assert read_claim({"recovery": "1"}, {"recovery": "0"}) == Claim()


def rooms(**positions: int) -> SavedSession:
    saved = {name: SavedRoom(mode="edit", position=at) for name, at in positions.items()}
    return session(rooms=saved).saved


def test_a_client_is_where_it_says_and_where_it_began_in_rooms_that_it_heard_nothing_of() -> None:
    said = said_places(Claim(offset="u:9:2"))
    assert places_by_claim(rooms(u=5, v=3), said) == {"u": Place(9, 2), "v": Place(3)}
    assert places_by_claim(rooms(u=5), said_places(Claim())) == {"u": Place(5)}


@pytest.mark.parametrize("offset", ["u:4", "w:9", "nonsense"])
def test_a_place_that_cannot_be_is_refused(offset: str) -> None:
    with pytest.raises(InvalidClaim):
        places_by_claim(rooms(u=5, v=3), said_places(Claim(offset=offset)))


def test_by_heartbeats_a_client_is_at_its_last_acknowledged_place_or_where_it_began() -> None:
    saved = rooms(u=5, v=3, w=2).model_copy(update={"acknowledged": {"u": 8, "v": 1, "x": 9}})
    assert places_by_heartbeat(saved) == {"u": Place(8), "v": Place(3), "w": Place(2)}


def test_a_start_within_a_record_counts_until_something_after_it_is_acknowledged() -> None:
    start = SavedRoom(mode="edit", position=5, frames=1)
    saved = session(rooms={"u": start}, acknowledged={"u": 5}).saved
    assert places_by_heartbeat(saved) == {"u": Place(5, 1)}


#: Of a record: any number that no frame's place in a record reaches.
MARK = FIRST_MARK + 7


def test_places_carry_the_marks_of_the_records_that_stand_there() -> None:
    start = SavedRoom(mode="edit", position=5, frames=1, mark=MARK)
    saved = session(
        rooms={"u": start, "v": SavedRoom(mode="edit", position=3, mark=MARK + 1)},
        acknowledged={"v": 8},
        marks={"v": MARK + 2, "u": MARK + 3},
    ).saved
    # Where a client began, the mark is that of the beginning.
    assert places_by_heartbeat(saved) == {"u": Place(5, 1, MARK), "v": Place(8, mark=MARK + 2)}
    assert places_by_claim(saved, {}) == {"u": Place(5, 1, MARK), "v": Place(3, mark=MARK + 1)}


def test_a_gateway_of_the_version_before_saves_marks_in_the_place_of_frames() -> None:
    saved = session(rooms={"u": SavedRoom(mode="edit", position=5, frames=MARK)}).saved
    assert places_by_heartbeat(saved) == {"u": Place(5, mark=MARK)}


def test_what_its_gateway_knows_of_a_session_is_newer_than_what_is_saved() -> None:
    saved = session(
        acknowledged={"u": 5, "v": 6}, marks={"u": MARK, "v": MARK + 1, "w": MARK + 2}
    ).saved
    checked = ConnectionChecked(
        liveness=Liveness.BROKEN, acknowledged={"u": 9, "w": 4}, marks={"w": MARK + 3}
    )
    known = with_acknowledged(saved, checked)
    assert known.acknowledged == {"u": 9, "v": 6, "w": 4}
    # A mark that is not known is none, rather than that of an earlier place.
    assert known.marks == {"v": MARK + 1, "w": MARK + 3}
    assert known.model_copy(update={"acknowledged": {}, "marks": {}}) == saved.model_copy(
        update={"acknowledged": {}, "marks": {}}
    )


def test_what_was_missed_is_sent_again_within_the_window_and_while_a_session_lives() -> None:
    assert is_in_time(session(ended_ms=None).saved, NOW_MS, WINDOW_MS)
    assert is_in_time(session(ended_ms=NOW_MS - WINDOW_MS).saved, NOW_MS, WINDOW_MS)
    assert not is_in_time(session(ended_ms=NOW_MS - WINDOW_MS - 1).saved, NOW_MS, WINDOW_MS)


def test_fingerprints_tell_kinds_of_clients_apart_and_need_the_key() -> None:
    kinds: list[dict[str, str]] = [
        {},
        {"User-Agent": ""},
        {"User-Agent": "a"},
        {"User-Agent": "ab", "Origin": ""},
        {"User-Agent": "a", "Origin": "b"},
        {"Origin": "ab"},
    ]
    digests = sorted(Fingerprints("secret").of(headers) for headers in kinds)
    assert all(first != second for first, second in pairwise(digests))
    assert Fingerprints("secret").of({**kinds[4], "Cookie": "x"}) in digests
    assert Fingerprints("another").of(kinds[4]) not in digests


def test_a_session_that_does_not_count_hides_no_other() -> None:
    broken = session("b")
    assert choose([session("a", taken_over=True), broken], OWN, AROUND) == TakeOver(broken)


def test_a_client_may_be_where_it_began_and_within_the_record_there() -> None:
    rooms = {
        "u": SavedRoom(mode="edit", position=5, frames=2),
        "v": SavedRoom(mode="edit", position=7, frames=1),
    }
    saved = session("a", rooms=rooms).saved
    assert places_by_claim(saved, {"u": Place(5)}) == {"u": Place(5), "v": Place(7, 1)}
