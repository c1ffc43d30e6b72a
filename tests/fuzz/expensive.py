"""Inputs that cost more to refuse than to make: each once brought a gateway to its knees."""

import gzip
import json
from collections.abc import Mapping, Sequence

from fuzz.packets import frame
from fuzz.payloads import ROOM
from harmonic_protocol.messages.declaration import API_PREFIX

KIB = 1024
#: Stands for a good token.
TOKEN = "TOKEN"
_PING, _TEXT, _CONTINUED = 9, 1, 0


def _event(name: str, payload: str) -> bytes:
    return frame(f'42/ws,["{name}",{payload}]'.encode())


def _keys(count: int) -> str:
    """An object of so many unknown fields."""
    return "{" + ",".join(f'"unknown{number}":1' for number in range(count)) + "}"


def _update(parameters: str) -> str:
    return f'{{"universeId":"{ROOM}","parameters":{parameters}}}'


def _shown(state: str) -> str:
    return f'{{"universeId":"{ROOM}","state":{{"x":{state}}}}}'


def _wish(seed: str, style: str = '"waltz"') -> str:
    return f'{{"universeId":"{ROOM}","seed":{seed},"style":{style}}}'


def _analysis(frequencies: str, waveform: str = "[]") -> str:
    spectrum = f'{{"frequencies":{frequencies},"waveform":{waveform},"timestamp":"never"}}'
    return f'{{"universeId":"{ROOM}","analysis":{spectrum}}}'


def _list(entry: str, count: int) -> str:
    return "[" + ",".join([entry] * count) + "]"


def _nested(depth: int, breadth: int) -> str:
    """Objects in objects, each with as many fields as are looked at."""
    inner = "1"
    for _ in range(depth):
        fields = ",".join(f'"k{number}":0' for number in range(breadth - 1))
        inner = f'{{{fields},"k":{inner}}}'
    return inner


#: Frames of one event each, by what they hold.
EVENTS: Mapping[str, bytes] = {
    "128 KiB of unknown fields": _event("update_physics", _update(_keys(7_800))),
    "60 KiB of unknown fields": _event("update_physics", _update(_keys(3_600))),
    "64 unknown fields": _event("update_physics", _update(_keys(64))),
    "unknown fields in 14 levels": _event("update_physics", _update(_nested(14, 60))),
    "4,096 wrong numbers": _event(
        "audio_analysis", _analysis(_list('"x"', 2048), _list('"x"', 2048))
    ),
    "4,096 right numbers": _event(
        "audio_analysis", _analysis(*[_list("-0.1234567890123456", 2048)] * 2)
    ),
    "8,000 numbers": _event("audio_analysis", _analysis(_list("0.5", 8_000))),
    "40,000 empty lists": _event("audio_analysis", _list("[]", 40_000)),
    "1,000 empty lists": _event("audio_analysis", _analysis(_list("[]", 1_000))),
    "30,000 empty objects": _event("update_physics", _list("{}", 20_000)),
    "10,000 halves of characters": _event("update_physics", _list('"\\ud800"', 6_000)),
    "500 halves of characters": _event("update_physics", _update(_list('"\\ud800"', 500))),
    "120 KiB of text": _event("audio_analysis", f'"{"x" * 120 * KIB}"'),
    "60 KiB of escapes": _event("update_physics", '"' + "\\n" * 30_000 + '"'),
    "a number of 60,000 digits": _event("update_physics", _update("9" * 60_000)),
    "1 MiB of text": _event("update_physics", f'"{"x" * 1000 * KIB}"'),
    "a state of 60 KiB": _event("update_presence", _shown(f'"{"x" * 60 * KIB}"')),
    "a state of 1,000 objects": _event("update_presence", _shown(_list("{}", 1_000))),
    "a state in 14 levels": _event("update_presence", _shown(_nested(12, 5))),
    "previews of 3,600 unknown fields": _event(
        "preview_parameters", f'{{"universeId":"{ROOM}","physics":{_keys(3_600)}}}'
    ),
    "previews of wrong numbers": _event(
        "preview_parameters",
        f'{{"universeId":"{ROOM}","physics":{{"gravity":{_list("9", 4_000)}}}}}',
    ),
    "a seed of 4,000 digits": _event("start_music", _wish("9" * 4_000)),
    "a style of 60 KiB": _event("start_music", _wish("1", f'"{"x" * 60 * KIB}"')),
    "an unknown event": _event("nonsense", "{}"),
    "an event without a room": _event("update_physics", '{"universeId":"nowhere"}'),
}

#: Frames of one event each that are in order, for who is in the room.
LIVE: Mapping[str, bytes] = {
    "states of 1 KiB": _event("update_presence", _shown(f'"{"x" * 990}"')),
    "previews": _event(
        "preview_parameters", f'{{"universeId":"{ROOM}","physics":{{"gravity":3}}}}'
    ),
    "starts of music": _event("start_music", _wish("1")),
    "ends of music": _event("stop_music", f'{{"universeId":"{ROOM}"}}'),
}

#: Frames without end that are no messages.
FRAMES: Mapping[str, bytes] = {
    "pings": frame(b"", _PING) * 200,
    "unsolicited answers": frame(b"3") * 200,
    "a message in 2,000 empty parts": (
        frame(b"", _TEXT, first=0) + frame(b"", _CONTINUED, first=0) * 2_000
    ),
}


def request(
    target: str, headers: Sequence[str] = (), body: bytes = b"", *, keeps: bool = False
) -> bytes:
    """A request, after which the connection is kept or not."""
    method = "POST" if body else "GET"
    lines = [
        f"{method} {target} HTTP/1.1",
        *("Host: localhost", "Content-Type: application/json"),
        f"Connection: {'keep-alive' if keeps else 'close'}",
        *((f"Content-Length: {len(body)}",) if body else ()),
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


#: What inflates to a thousand times its size, and the same without saying that it does.
BOMB = gzip.compress(b"0" * 64 * 1024 * KIB)
ZIPPED, PLAIN = (
    request(f"{API_PREFIX}/universes", headers, BOMB)
    for headers in (("Content-Encoding: gzip",), ())
)

#: Requests of one connection each.
REQUESTS: Mapping[str, bytes] = {
    "a compressed body": ZIPPED,
    "the same without saying so": PLAIN,
    "an empty session id": request("/socket.io/?EIO=4&transport=polling&sid="),
    "100 headers": request("/healthz", [f"X-{number}: {'a' * 900}" for number in range(100)]),
    "60 large headers": request("/healthz", [f"X-{number}: {'a' * 8_000}" for number in range(60)]),
    "a long query": request("/socket.io/?" + "a=b&" * 1_900),
    "a body in vain": request(f"{API_PREFIX}/universes", body=json.dumps([0] * 20_000).encode()),
    "a guest's body of unknown fields": request("/guest-tokens", body=_keys(3_600).encode()),
    "a guest's body of 7,000 values": request(
        "/guest-tokens", body=f'{{"name":{_list("0", 7_000)}}}'.encode()
    ),
    "a user's body of unknown fields": request(
        f"{API_PREFIX}/universes", [f"Authorization: Bearer {TOKEN}"], _keys(3_600).encode()
    ),
    "a user's query of unknown fields": request(
        f"{API_PREFIX}/universes?{'&'.join(f'{number}=' for number in range(1_300))}",
        [f"Authorization: Bearer {TOKEN}"],
    ),
    "a user's odd event id": request(
        f"{API_PREFIX}/universes/{ROOM}/stream",
        [f"Authorization: Bearer {TOKEN}", f"Last-Event-ID: {'a:1,' * 250}"],
    ),
    "a cursor beyond all": request(f"{API_PREFIX}/universes?cursor=9223372036854775808"),
}
