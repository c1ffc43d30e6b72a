"""What is stored of a piece, read and written anew before anybody is sent it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonic_gateway.delivery.pieces import read_piece

NOTE = {"pitch": 60, "startTime": 0.5, "duration": 0.25, "velocity": 80, "voice": "melody"}


def stored(*notes: Any, **members: Any) -> bytes:
    """A piece as its stream keeps it: the value of ``notes``, and the members that follow."""
    rest = "".join(f",{json.dumps(name)}:{json.dumps(value)}" for name, value in members.items())
    return (json.dumps(notes) + rest).encode()


def read(text: bytes) -> dict[str, Any]:
    members = read_piece(text)
    assert members is not None
    found: dict[str, Any] = json.loads(b"{" + members + b"}")
    return found


def test_a_piece_is_read_with_all_that_goes_with_its_notes() -> None:
    more = {
        "style": "waltz",
        "meter": "3/4",
        "instruments": {"melody": 40},
        "drums": [{"key": 38, "startTime": 0.0, "velocity": 90}],
        "after": "another-piece",
    }
    assert read(stored(NOTE, **more)) == {"notes": [NOTE], **more}
    assert read(stored()) == {"notes": []}


def test_what_only_a_newer_version_knows_is_let_through_or_left_out() -> None:
    note = {**NOTE, "voice": "choir", "bend": 3}
    assert read(stored(note, style="polka", mood="blue")) == {
        "notes": [{**NOTE, "voice": "choir"}],
        "style": "polka",
    }


@pytest.mark.parametrize(
    "forged",
    [
        b"",
        b"{}",
        b"[",
        b"null",
        b"[]}",
        b'[]},"x":{',
        b'[]}]\x1e42/ws,["physics_updated",{}',
        stored({**NOTE, "pitch": 128}),
        stored({**NOTE, "velocity": "loud"}),
        stored({**NOTE, "voice": '"]}\x1e42["error",{"'}),
        b'[{"pitch":60,"startTime":NaN,"duration":1,"velocity":1}]',
        b'[{"pitch":60,"startTime":1e999,"duration":1,"velocity":1}]',
        stored(drums=[{"key": 38}]),
        stored(style="<b>"),
        b"\xff",
    ],
)
def test_what_no_music_service_writes_is_not_let_through(forged: bytes) -> None:
    assert read_piece(forged) is None


def test_a_member_of_the_event_cannot_be_said_again() -> None:
    assert read(stored(NOTE, universeId="another", userId="mallory", seq=9)) == {"notes": [NOTE]}


@given(st.binary(max_size=200))
def test_whatever_is_stored_no_packet_is_made_of_it(text: bytes) -> None:
    members = read_piece(b"[]" + text)
    assert members is None or b"\x1e" not in members
