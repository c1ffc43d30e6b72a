"""States of participants: which one counts, what is kept of them, and what may be said."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.drivers import NOW
from harmonic_gateway.delivery.presence import (
    _OVERHEAD_BYTES,
    NAME_BYTES,
    KeptStates,
    Stated,
    frames_of,
    handed,
    heard,
    leavers,
    stated,
)
from harmonic_gateway.delivery.signals import pack
from harmonic_gateway.sockets import Frame
from harmonic_protocol.handed import HandedState
from harmonic_protocol.messages.presence import MAX_STATES_BYTES, UpdatePresence

LATER = "2024-03-21T10:30:01.000Z"
LONG_AGO = "2024-03-21T09:00:00.000Z"


def said(at: str = NOW, sender: str = "c1", x: int = 0, user: str = "ann") -> Stated:
    return stated(HandedState(user_id=user, at=at, sender=sender, state={"x": x}))


def shown(frames: Iterable[Frame]) -> dict[str, Any]:
    return {
        each["userId"]: each["state"]
        for frame in frames
        for each in json.loads(frame.data)["states"]
    }


# What is kept.


@pytest.mark.parametrize("first_is_newer", [True, False])
@pytest.mark.parametrize("newer", [said(LATER), said(NOW, "c2")])
def test_the_latest_state_counts_in_whatever_order_states_come(
    newer: Stated, *, first_is_newer: bool
) -> None:
    kept, older = KeptStates(), said(NOW, "c1")
    order = [newer, older] if first_is_newer else [older, newer]
    assert [kept.take("u", "ann", each) for each in order] == [True, not first_is_newer]
    assert kept.of("u") == {"ann": newer}


def test_what_is_told_again_is_no_news_and_what_is_heard_is() -> None:
    kept = KeptStates()
    assert kept.take("u", "ann", said())
    assert not kept.take("u", "ann", said())
    assert kept.take("u", "ann", said(x=2), is_heard=True)
    assert shown(kept.frames("u")) == {"ann": {"x": 2}}


def test_bytes_and_number_are_what_is_kept() -> None:
    kept = KeptStates()
    for user in ("ann", "bob"):
        kept.take("u", user, said(user=user))
    kept.take("v", "ann", said(x=1_000_000))
    assert kept.number == 3
    states = [*kept.of("u").values(), *kept.of("v").values()]
    assert kept.size_bytes == sum(len(each.shown) + _OVERHEAD_BYTES for each in states)
    kept.forget("u", ["ann", "nobody"])
    kept.retain("v", ())
    assert kept.number == 1
    kept.retain("u", ["bob"])
    assert [*kept.of("u")] == ["bob"]
    kept.forget("u", ["bob"])
    assert (kept.number, kept.size_bytes) == (0, 0)
    assert kept.frames("u") == []


@pytest.mark.parametrize("bound", [{"max_states": 1}, {"max_bytes": said().size_bytes}])
def test_what_is_too_much_is_not_kept(bound: dict[str, int]) -> None:
    kept = KeptStates(**bound)
    assert kept.take("u", "ann", said())
    assert not kept.take("u", "bob", said(user="bob"))
    assert not kept.take("v", "bob", said(user="bob"))
    assert ([*kept.of("u")], kept.turned_away) == (["ann"], 2)
    # In place of another one there is room.
    assert kept.take("u", "ann", said(LATER))


def test_a_state_that_is_too_much_leaves_none_that_is_out_of_date() -> None:
    kept = KeptStates(max_bytes=said().size_bytes)
    kept.take("u", "ann", said())
    assert not kept.take("u", "ann", said(LATER, x=100_000))
    assert not kept.of("u")


def test_who_is_not_there_is_forgotten_unless_it_may_just_have_come() -> None:
    kept = KeptStates()
    kept.take("u", "gone", said(LONG_AGO))
    kept.take("u", "new", said(LATER))
    kept.take("u", "here", said(LONG_AGO))
    kept.take("u", "just then", said(NOW))
    kept.prune("u", ["here"], NOW)
    assert kept.of("u").keys() == {"new", "here", "just then"}


def test_frames_take_what_they_may_and_hold_every_state_once() -> None:
    kept = KeptStates()
    for number in range(200):
        user = f"user-{number}"
        kept.take("u", user, said(user=user, x=10**1000))
    frames = kept.frames("u")
    assert len(frames) == 4
    assert all(len(frame.encoded("/ws").packets[0]) <= MAX_STATES_BYTES for frame in frames)
    assert shown(frames).keys() == kept.of("u").keys()
    assert kept.frames("u") is frames
    kept.forget("u", ["user-7"])
    assert shown(kept.frames("u")).keys() == kept.of("u").keys()
    assert kept.number == 199


@pytest.mark.parametrize(("less", "frames"), [(0, 1), (1, 2)])
def test_a_frame_is_filled_to_the_last_byte(less: int, frames: int) -> None:
    first = Stated(NOW, "c1", b'{"userId":"a"}')
    empty = len(frames_of("u", [first])[0].data) + len(b",")
    rest = MAX_STATES_BYTES - NAME_BYTES - empty + less
    second = Stated(NOW, "c2", b'"' + b"y" * (rest - 2) + b'"')
    made = frames_of("u", [first, second])
    assert len(made) == frames
    told = json.loads(made[0].data)
    assert (made[0].name, told["universeId"]) == ("presence_states", "u")
    assert told["states"][0] == {"userId": "a"}


def test_no_states_are_no_frames() -> None:
    assert frames_of("u", []) == []


def test_what_is_heard_is_a_users_state() -> None:
    request = UpdatePresence.model_validate({"universeId": "u", "state": {"x": 1}})
    payload, _ = pack(request, user_id="ann", sender="c1", timestamp=NOW)
    assert heard(payload, "c1") == ("ann", said(x=1))


def test_those_who_left_are_known_by_the_rooms_frames() -> None:
    frames = [
        Frame.event("participant_joined", b'{"participant":{}}'),
        Frame.event("participant_left", b'{"userId":"ann"}'),
        Frame.event("participant_left", b'{"userId":"bob"}'),
    ]
    assert leavers(frames) == ["ann", "bob"]


def test_the_newest_state_tells_since_when_something_may_be_missing() -> None:
    kept = KeptStates()
    assert kept.newest("u") == ""
    kept.take("u", "ann", said(LATER))
    kept.take("u", "bob", said(NOW))
    assert kept.newest("u") == LATER


def test_a_state_is_handed_as_it_is() -> None:
    one = HandedState(user_id="ann", at=NOW, sender="c1", state={"a": [{"b": None}]})
    assert handed("ann", stated(one)) == one


# What may be said.


@pytest.mark.parametrize(
    "state",
    [{}, {"a": {"b": {"c": {}}}}, {"a": [[[1]]]}, {"x": "y" * 1016}, {"ü": "\u20ac" * 300}],
)
def test_a_state_is_any_json_object_within_bounds(state: dict[str, Any]) -> None:
    request = UpdatePresence.model_validate({"universeId": "u", "state": state})
    payload, _ = pack(request, user_id="ann", sender="c1", timestamp=NOW)
    assert json.loads(payload)["state"] == state


@pytest.mark.parametrize(
    "state",
    [
        None,
        [],
        "text",
        {"a": {"b": {"c": {"d": {}}}}},
        {"a": [[[[]]]]},
        {"x": "y" * 1017},
        {"x": "\u20ac" * 340},
        {"x": float("nan")},
        {"x": float("inf")},
        {"x": b"attached"},
        {"x": "\ud800"},
    ],
)
def test_nothing_else_is_a_state(state: object) -> None:
    with pytest.raises(ValidationError):
        UpdatePresence.model_validate({"universeId": "u", "state": state})
