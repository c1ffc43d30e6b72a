"""Headers of messages, as the broker and programs write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonic_runtime.bus.wire import REPEATED, decode_headers, encode_headers

NAMES = st.text(st.characters(codec="ascii", exclude_characters=":\r\n "), min_size=1, max_size=5)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=8)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=5))
def test_headers_are_read_as_they_were_written(headers: dict[str, str]) -> None:
    block = encode_headers(headers)
    # Names in an order that came before are read another way.
    for _ in range(2):
        assert decode_headers(block) == {name: value.strip() for name, value in headers.items()}


@pytest.mark.parametrize(
    ("block", "headers"),
    [
        (b"NATS/1.0\r\nA: b\r\n\r\n", {"A": "b"}),
        (b"NATS/1.0\r\nA:b\r\nC: d: e\r\n\r\n", {"A": "b", "C": "d: e"}),
        (b"NATS/1.0\r\nA:x: y\r\n\r\n", {"A": "x: y"}),
        (b"NATS/1.0\r\nA:  b\t\r\n\r\n", {"A": "b"}),
        (b"NATS/1.0\r\nA: b\r\nno header\r\n\r\n", {"A": "b"}),
        (b"NATS/1.0\r\nA: b\nC: d\r\n\r\n", {"A": "b\nC: d"}),
        (b"NATS/1.0\r\nA: b\r\nA: c\r\n\r\n", {"A": "c", REPEATED: "A"}),
        (b"NATS/1.0\r\nA: b\r\nA: c\r\nD:e\r\nD: f\r\n\r\n", {"A": "c", "D": "f", REPEATED: "A D"}),
        (b"NATS/1.0\r\nA: b", {"A": "b"}),
        (b"NATS/1.0\r\n\r\n", {}),
        (b"NATS/1.0 503\r\n\r\n", {"Status": "503"}),
        (
            b"NATS/1.0 404 No Messages\r\nA: b\r\n\r\n",
            {"Status": "404", "Description": "No Messages", "A": "b"},
        ),
    ],
)
def test_headers_are_read_however_they_are_written(block: bytes, headers: dict[str, str]) -> None:
    for _ in range(2):
        assert decode_headers(block) == headers


@given(VALUES, VALUES)
def test_headers_are_read_by_a_layout_as_without_it(first: str, second: str) -> None:
    assert decode_headers(b"NATS/1.0\r\nA: b\r\nC: d\r\n\r\n") == {"A": "b", "C": "d"}
    block = f"NATS/1.0\r\nA: {first}\r\nC: {second}\r\n\r\n".encode()
    assert decode_headers(block) == {"A": first.strip(), "C": second.strip()}


@pytest.mark.parametrize("headers", [{"": "a"}, {"A:": "a"}, {"A B": "a"}, {"A": "a\r\nB: b"}])
def test_what_would_be_read_as_something_else_is_not_written(headers: dict[str, str]) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="a header"):
            encode_headers(headers)
    assert encode_headers({"A": "a"}) == b"NATS/1.0\r\nA: a\r\n\r\n"
