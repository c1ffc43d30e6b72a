"""Packets and frames: Socket.IO within Engine.IO within WebSocket, each a little wrong at times."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from fuzz.payloads import encoded, events, hostile, mutated, proper_events

MAX_FRAMES = 12

_HEADS: Sequence[str] = (
    *["42/ws,"] * 20,
    *("42/ws,1", "42/ws,7", "42/ws,000", "42/ws,999999999999999", "42/ws,9999999999999999", "42"),
    *("42/ws?x=1,", "42/other,", "42/ws", "42/,", "42//ws,", "4 2/ws,", "42-/ws,", "421-/ws,"),
    *(
        "451-/ws,",
        "452-/ws,3",
        "4510-/ws,",
        "4511-/ws,",
        "450-/ws,",
        "4599999999999-/ws,",
        "45/ws,",
    ),
    *("43/ws,1", "43/ws,", "43/ws,99999999999999999999", "461-/ws,1", "460-/ws,1", "46/ws,"),
    *(
        "40/ws,",
        "40",
        "40/",
        "40/other,",
        "40/ws?token=x,",
        "41/ws,",
        "41",
        "44/ws,",
        "44",
        "47",
        "49",
    ),
    *("\u0664\u0662/ws,", "4\xb2/ws,", "42/ws,\u0661", "45\u0661-/ws,", "4\x002/ws,"),
    *("\ufeff42/ws,", "4", ""),
)
#: Engine.IO's own packets, whole.
_CONTROLS: Sequence[str] = (
    *("0", "1", "2", "3", "5", "6", "7", "9", "x", "", " ", "-1", "2probe", "3probe", "22", "33"),
    *("0{}", "b", "bAAAA", "b!!!", "\x1e", "\x1e\x1e", "2\x1e3", "3" * 1000, "٣", "²", "\x00"),
    *("4", "40", "41", "40/ws,", "41/ws,", "4" * 5000, "40/ws,{", "42/ws,[", '42/ws,["x"', "45"),
)
_BINARY: Sequence[bytes] = (
    *(b"", b"\x00", b"\xff" * 8, b"\x80\x81", b"42/ws,[]", bytes(range(64)), b"\x00" * 8192),
    *(b"\x00" * 8193, b"x" * 300_000),
)

_WHOLE = 0
_ON_TEXT: Sequence[tuple[str, int]] = (
    *[("nothing", _WHOLE)] * 30,
    *(("cut", place) for place in (1, 2, 3, 5, 8, 13, 40, -1, -2)),
    *(("twice", place) for place in (1, 7)),
    *(("insert", place) for place in (0, 1, 2, 6, 7, 12, 30, -1)),
)
_JUNK: Sequence[bytes] = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x00", b"[", b'"', b",", b"\xf0\x9f")


def _damaged(drawn: tuple[bytes, tuple[str, int], bytes]) -> bytes:
    data, (what, place), junk = drawn
    match what:
        case "cut":
            return data[:place]
        case "twice":
            return data[:place] + data
        case "insert":
            return data[:place] + junk + data[place:]
        case _:
            return data


def damaged(base: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes that are whole, mostly."""
    return st.tuples(base, st.sampled_from(_ON_TEXT), st.sampled_from(_JUNK)).map(_damaged)


def _packet(drawn: tuple[str, Any]) -> bytes:
    head, data = drawn
    return (head + encoded(data)).encode(errors="surrogatepass")


#: One packet as text, in bytes.
packets: st.SearchStrategy[bytes] = st.one_of(
    *[damaged(st.tuples(st.sampled_from(_HEADS), events).map(_packet))] * 4,
    damaged(st.tuples(st.sampled_from(_HEADS), hostile).map(_packet)),
    st.sampled_from(_CONTROLS).map(str.encode),
)
binaries = st.sampled_from(_BINARY)


def frame(
    payload: bytes, opcode: int = 1, *, first: int = 0x80, masked: bool = True, claimed: int = -1
) -> bytes:
    """A WebSocket frame; ``first`` holds its flags, and ``claimed`` a length that it has not."""
    size = len(payload) if claimed < 0 else claimed
    mask = 0x80 if masked else 0
    head = bytes((first | opcode,))
    if size < 126:
        head += bytes((mask | size,))
    elif size < 2**16:
        head += bytes((mask | 126,)) + size.to_bytes(2)
    else:
        head += bytes((mask | 127,)) + size.to_bytes(8)
    # A mask of nothing leaves the payload as it is.
    return head + (bytes(4) if masked else b"") + payload


def _strange(drawn: tuple[bytes, dict[str, Any]]) -> bytes:
    payload, options = drawn
    return frame(payload, **options)


_STRANGE: Sequence[dict[str, Any]] = (
    *({"opcode": opcode} for opcode in (0, 2, 3, 7, 8, 9, 10, 11, 15)),
    *({"first": first} for first in (0x00, 0xC0, 0xA0, 0x90, 0xF0)),
    {"masked": False},
    *({"claimed": size} for size in (0, 1, 125, 126, 65_535, 65_536, 2**20 + 1, 2**31, 2**63 - 1)),
    {"opcode": 9, "first": 0x00},
    {"opcode": 8, "claimed": 1},
    {"opcode": 2, "first": 0xC0},
)

#: One WebSocket frame.
frames: st.SearchStrategy[bytes] = st.one_of(
    *[packets.map(frame)] * 10,
    binaries.map(lambda data: frame(data, 2)),
    st.tuples(packets, st.sampled_from(_STRANGE)).map(_strange),
)

_PROPER: Sequence[str] = (*["42/ws,"] * 6, *(f"42/ws,{number}" for number in (0, 5, 10**14)))
#: One WebSocket frame with a proper packet in it, whatever this says.
proper_frames: st.SearchStrategy[bytes] = (
    st.tuples(st.sampled_from(_PROPER), proper_events).map(_packet).map(frame)
)

#: What a client says when it connects to a namespace, besides its token.
auths: st.SearchStrategy[dict[str, Any]] = mutated(
    st.fixed_dictionaries(
        {},
        optional={
            "pid": st.sampled_from(("", "x", "a" * 43, "g1.abc")) | hostile,
            "offset": st.sampled_from(("", "the-room", "the-room.1", "the-room:1", "x" * 500))
            | hostile,
            "recovery": st.sampled_from((0, "0", 1, None)),
        },
    )
).filter(lambda value: isinstance(value, dict))
