"""Floods: what a client may send without end, of every kind there is."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fuzz.connecting import connect
from fuzz.expensive import EVENTS, LIVE, request
from fuzz.packets import frame
from fuzz.payloads import ROOM
from harmonic_protocol.messages.declaration import API_PREFIX

_PING, _BINARY = 9, 2
#: The packets in a write of what is cheap.
_MANY = 50


@dataclass(frozen=True)
class FrameFlood:
    """What is written over and over to a WebSocket, made of the client's token.

    The client is in a room if it ``joins``. It waits for ``pause_s`` after each write.
    """

    name: str
    data: Callable[[str], bytes]
    joins: bool = True
    pause_s: float = 0.0


@dataclass(frozen=True)
class CallFlood:
    """Requests that are sent over and over, each after the answer to the one before."""

    name: str
    request: Callable[[str], bytes]


@dataclass(frozen=True)
class PostFlood:
    """A body that is posted over and over to a session of HTTP polling, which is polled as well."""

    name: str
    body: bytes


def _always(data: bytes) -> Callable[[str], bytes]:
    return lambda _: data


def _text(name: str, payload: object, *, ack_id: str = "") -> bytes:
    return f'42/ws,{ack_id}["{name}",{json.dumps(payload)}]'.encode()


def _event(name: str, payload: object, *, ack_id: str = "") -> bytes:
    return frame(_text(name, payload, ack_id=ack_id))


def _binary_analysis() -> bytes:
    parts = [{"_placeholder": True, "num": number} for number in (0, 1)]
    payload = {
        "universeId": ROOM,
        "analysis": {
            "frequencies": parts[0],
            "waveform": parts[1],
            "timestamp": "2026-01-01T00:00:00Z",
        },
    }
    text = frame(f'452-/ws,["audio_analysis",{json.dumps(payload)}]'.encode())
    return text + 2 * frame(bytes(2048), _BINARY)


def _analysis(numbers: int) -> object:
    samples = [0.123456] * numbers
    spectrum = {"frequencies": samples, "waveform": samples, "timestamp": "2026-01-01T00:00:00Z"}
    return {"universeId": ROOM, "analysis": spectrum}


def _physics(gravity: int = 3) -> object:
    return {"universeId": ROOM, "parameters": {"gravity": gravity}}


def _refreshed(token: str) -> bytes:
    return _event("refresh_token", {"token": token})


def _again(token: str) -> bytes:
    return frame(b"41/ws,") + frame(connect(token))


_STATE = {"universeId": ROOM, "state": {"x": 1, "y": 2}}
_PREVIEW = {"universeId": ROOM, "physics": {"gravity": 3}}
_WISH = {"universeId": ROOM, "style": "waltz"}

FLOODS: Sequence[FrameFlood | CallFlood | PostFlood] = (
    *(
        FrameFlood(name, _always(EVENTS[name]), joins=False)
        for name in ("4,096 right numbers", "60 KiB of unknown fields", "an unknown event")
    ),
    *(FrameFlood(name, _always(data)) for name, data in LIVE.items()),
    FrameFlood("small states", _always(_event("update_presence", _STATE))),
    FrameFlood(
        "small states, one at a time", _always(_event("update_presence", _STATE)), pause_s=0.002
    ),
    FrameFlood("previews with acks", _always(_event("preview_parameters", _PREVIEW, ack_id="1"))),
    FrameFlood("audio analyses", _always(_event("audio_analysis", _analysis(512)))),
    FrameFlood("audio analyses in typed arrays", _always(_binary_analysis())),
    FrameFlood("updates", _always(_event("update_physics", _physics()))),
    FrameFlood(
        "updates one at a time", _always(_event("update_physics", _physics())), pause_s=0.002
    ),
    FrameFlood("updates with acks", _always(_event("update_physics", _physics(), ack_id="1"))),
    FrameFlood("updates of all kinds", _always(_event("update_parameters", _PREVIEW))),
    FrameFlood("requests for music", _always(_event("generate_music", _WISH))),
    FrameFlood("joins", _always(_event("join_room", {"universeId": ROOM, "mode": "edit"}))),
    FrameFlood(
        "joins and leaves",
        _always(
            _event("leave_room", {"universeId": ROOM})
            + _event("join_room", {"universeId": ROOM, "mode": "edit"})
        ),
    ),
    FrameFlood("newer tokens", _refreshed),
    FrameFlood("questions for the time", _always(_event("time_sync", {"t0": 1}, ack_id="1"))),
    FrameFlood(
        "questions for the time, one at a time",
        _always(_event("time_sync", {"t0": 1}, ack_id="1")),
        pause_s=0.002,
    ),
    FrameFlood("pings of the WebSocket", _always(frame(b"", _PING) * _MANY)),
    FrameFlood("pings one at a time", _always(frame(b"", _PING)), pause_s=0.001),
    FrameFlood("unsolicited answers to pings", _always(frame(b"3") * _MANY)),
    FrameFlood("answers one at a time", _always(frame(b"3")), pause_s=0.001),
    FrameFlood("acks of nothing", _always(frame(b"43/ws,1[]") * _MANY)),
    FrameFlood("acks one at a time", _always(frame(b"43/ws,1[]")), pause_s=0.001),
    FrameFlood("goodbyes and returns", _again, joins=False),
    FrameFlood("unknown namespaces", _always(frame(b"40/other,")), joins=False),
    CallFlood(
        "readings of a universe",
        lambda token: request(
            f"{API_PREFIX}/universes/{ROOM}", [f"Authorization: Bearer {token}"], keeps=True
        ),
    ),
    CallFlood(
        "changes of nobody's universe",
        lambda token: request(
            f"{API_PREFIX}/universes", [f"Authorization: Bearer {token}"], b"[]", keeps=True
        ),
    ),
    PostFlood("posted small states", _text("update_presence", _STATE)),
    PostFlood("posted updates", _text("update_physics", _physics())),
    PostFlood("posted answers to pings", b"3"),
)
