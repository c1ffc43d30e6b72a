"""Reading Socket.IO packets: anything at all is either a packet or malformed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonic_gateway.sockets.limits import (
    MAX_BRACKETS,
    MAX_COLONS,
    MAX_COMMAS,
    MAX_SURROGATES,
)
from harmonic_gateway.sockets.packets import Incoming, Malformed

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.text(), st.sampled_from(["", "2", "2/ws,", "51-/ws,", "0/ws,", "3/ws,1"]))
def test_any_text_is_a_packet_or_malformed(text: str, head: str) -> None:
    try:
        packet = Incoming(head + text, 1000)
        while not packet.complete:
            packet.attach(b"")
        if packet.kind in (2, 5):
            packet.event()
    except Malformed:
        pass


@given(st.text(), st.lists(JSON), st.none() | st.integers(0, 10**15 - 1))
def test_an_event_is_read_as_it_was_written(
    name: str, args: list[object], ack_id: int | None
) -> None:
    number = "" if ack_id is None else str(ack_id)
    text = f"2/ws,{number}{json.dumps([name, *args])}"
    event = Incoming(text, 10**6).event()
    assert (event.name, event.ack_id) == (name, ack_id)
    assert json.dumps(event.args) == json.dumps(args)
    assert event.size_bytes == len(text.encode())


@pytest.mark.parametrize("pad", ["", " " * 1000])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ('"cut \\ud83d"', "cut \ufffd"),
        ("-1.5e3", -1500.0),
        ("1" * 30, int("1" * 30)),
        ('{"a":1,"a":2}', {"a": 2}),
    ],
)
def test_a_value_is_read_alike_in_a_short_text_and_a_long_one(
    text: str, value: object, pad: str
) -> None:
    event = Incoming(f'2["e",{pad}{text}]', 10**6).event()
    assert event.args == (pytest.approx(value) if isinstance(value, int) else value,)


@pytest.mark.parametrize("pad", ["", " " * 1000])
@pytest.mark.parametrize("text", ["01", "[1,]", "{1:2}", "'a'", "\x01", '"a\nb"', "1 2", ""])
def test_what_is_no_json_is_malformed_in_a_short_text_and_a_long_one(text: str, pad: str) -> None:
    with pytest.raises(Malformed):
        Incoming(f'2["e",{pad}{text}]', 10**6)


@pytest.mark.parametrize(
    ("text", "namespace"),
    [("0", "/"), ("0/ws,", "/ws"), ("0/ws", "/ws"), ("0/ws?token=x,", "/ws"), ('0{"a":1}', "/")],
)
def test_the_namespace_is_read_without_a_query(text: str, namespace: str) -> None:
    assert Incoming(text, 1000).namespace == namespace


@pytest.mark.parametrize(
    ("piece", "most"),
    [
        ("[],", MAX_BRACKETS),
        ("{},", MAX_BRACKETS),
        ("1,", MAX_COMMAS),
        ('{"a":1},', MAX_COLONS),
        ('"\\\\ud800",', MAX_SURROGATES),
        ('"\\uD800",', MAX_SURROGATES),
    ],
)
def test_an_event_that_holds_more_than_any_declared_one_is_not_read(piece: str, most: int) -> None:
    def event(times: int) -> str:
        return f'2/ws,7["echo",[{piece * times}1]]'

    few, many = Incoming(event(most // 2), 10**6).event(), Incoming(event(most + 1), 10**6).event()

    assert few.args is not None
    assert (many.name, many.args, many.wide, many.ack_id) == ("echo", None, True, 7)


def test_some_events_may_be_larger_than_others() -> None:
    text = f'2/ws,["audio_analysis","{"x" * 100}"]'
    larger = {"audio_analysis": 200}

    assert Incoming(text, 50, larger).event().args is not None
    assert Incoming(text, 50).event().args is None
    assert Incoming(text, 50, {"audio_analysis": 60}).event().args is None
    assert Incoming(text.replace("audio", "other"), 50, larger).event().args is None
