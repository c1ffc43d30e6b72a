"""A short example of any type: built from its schema and a few realistic values."""

from collections.abc import Mapping
from typing import Any

from harmonic_protocol.export.tidying import REF_PREFIX, Schema
from harmonic_protocol.messages.audio import MAX_AUDIO_MESSAGE_BYTES
from harmonic_protocol.messages.declaration import (
    MAX_MESSAGE_BYTES,
    MAX_MESSAGE_DEPTH,
    SIGNAL_BYTES_PER_S,
    RateClass,
)
from harmonic_protocol.messages.parameters import PARAMETER_SETS
from harmonic_protocol.messages.sets import ParameterSet


def _examples_of_change(one: ParameterSet[Any]) -> dict[str, object]:
    updated = one.event.__name__
    return {
        one.changes.__name__: one.example,
        f"{updated}.changed": list(one.example),
        f"{updated}.parameters": one.values().to_wire() | one.example,
    }


_REFUSED = {
    "code": "PERMISSION_DENIED",
    "message": "You are only viewing",
    "details": {"reason": "VIEW_ONLY", "event": "update_physics", "universeId": "universe-123"},
}
_STATE = {"cursor": {"x": 0.4, "y": 0.7}, "color": "#3b82f6"}
_PARAMETERS = {name: one.values().to_wire() for name, one in PARAMETER_SETS.items()}
#: Milliseconds since 1970 at the moment of ``Timestamp`` below.
_NOW_MS = 1_711_017_000_000
#: By ``Type.field``, by the field's name, or by type.
_VALUES: Mapping[str, Any] = {
    **{
        name: value
        for one in PARAMETER_SETS.values()
        for name, value in _examples_of_change(one).items()
    },
    "Analysis.frequencies": [-61.5, -38.25, None],
    "Analysis.timestamp": "2024-03-21T10:29:59.950Z",
    "Analysis.waveform": [0, 0.5, -0.5],
    "AuditEntry": {
        "id": "b8Qv2LwK",
        "at": "2024-03-21T10:30:00.000Z",
        "action": "ban_user",
        "userId": "user-123",
        "target": "user-456",
        "universeId": "universe-123",
    },
    "audioMessageBytes": MAX_AUDIO_MESSAGE_BYTES,
    "largerMessageBytes": {"audio_analysis": MAX_AUDIO_MESSAGE_BYTES},
    "ConnectError.message": "Invalid token",
    "ConnectRefusal": {
        "error": "Invalid token",
        "code": "AUTH_ERROR",
        "details": {"reason": "INVALID"},
    },
    "ConnectSuccess.expiresAt": "2024-03-21T11:30:00.000Z",
    "Duration": 8,
    "ErrorReported": _REFUSED,
    "eventsPerSecond": 50,
    "generationsPerMinute": RateClass.GENERATIONS.allowance,
    "PastEvent": {
        "event": "physics_updated",
        "data": {
            "universeId": "universe-123",
            "userId": "user-123",
            "timestamp": "2024-03-21T10:30:00.000Z",
            "changed": ["gravity"],
            "parameters": {**_PARAMETERS["physics"], "gravity": 4.2},
            "seq": 42,
        },
    },
    "EventPage.firstSeq": 1,
    "EventPage.lastSeq": 42,
    "ErrorBody": {
        "error": {
            "code": "NOT_FOUND",
            "message": "Universe not found",
            "details": {"errorId": "e7YwR0aT"},
        }
    },
    "maxParticipants": 50,
    "messageBytes": MAX_MESSAGE_BYTES,
    "messageDepth": MAX_MESSAGE_DEPTH,
    "name": "Our universe",
    "Note": {"pitch": 60, "startTime": 0, "duration": 0.5, "velocity": 80},
    "parametersPerMinute": RateClass.PARAMETERS.allowance,
    "UniverseView.participants": 3,
    "placeholder": "erased-9f2c41d07b3ae586",
    "queuedCommands": 256,
    "RecoveryReport": {"outcome": "new", "reason": "NONE"},
    "Refused": _REFUSED,
    "StreamAddress.stream": (
        "/api/v1/universes/universe-123/stream?link=WzE3MTEwMTczMDAsInVzZXItMTIzIl0.8hVzq3Rm"
    ),
    "PieceSummary.midi": (
        "/api/v1/universes/universe-123/music/R4x1mZ0q.mid?link=1711017300.dXNlci0xMjM.5kTnq0Zb"
    ),
    "requestId": "R4x1mZ0q",
    "streamId": "m7Kd02Qe",
    "EndlessPiece": {
        "streamId": "m7Kd02Qe",
        "userId": "user-123",
        "seed": 7,
        "startedAt": "2024-03-21T10:30:00.000Z",
    },
    "MusicBar.duration": 2,
    "asOf": 42,
    "endsAt": "2024-03-21T10:30:00.500Z",
    "startsAt": "2024-03-21T10:30:02.000Z",
    "RoomRefused": {
        "error": "Universe not found",
        "code": "NOT_FOUND",
        "message": "Universe not found",
        "details": {"event": "join_room", "universeId": "universe-123"},
        "universeId": "universe-123",
    },
    "connections": 64,
    "rooms": 8,
    "roomsPerMinute": RateClass.ROOMS.allowance,
    "signalBytesPerSecond": SIGNAL_BYTES_PER_S,
    "signalsBurst": RateClass.SIGNALS.burst,
    "signalsPerSecond": RateClass.SIGNALS.allowance,
    "Seed": 7,
    "seq": 42,
    "sessionId": "s1Jq0b7c",
    "state": _STATE,
    "StateRecovered": {
        "universeId": "universe-123",
        "recovered": True,
        "missed": 3,
        "fromSeq": 39,
        "toSeq": 42,
    },
    "t0": _NOW_MS - 40,
    "t1": _NOW_MS,
    "t2": _NOW_MS + 0.5,
    "tempo": 120,
    "Timestamp": "2024-03-21T10:30:00.000Z",
    "token": "your-jwt-token",
    "UniverseId": "universe-123",
    "UniverseName": "Our universe",
    "UniverseUpdated.changed": ["name"],
    "UserId": "user-123",
    "username": "john_doe",
}


def example(name: str, known: Mapping[str, Schema]) -> Any:
    """An example of the type ``name``: the fields that are required, or else its first one."""
    if name in _VALUES:
        return _VALUES[name]
    schema = known[name]
    if "properties" not in schema:
        return _of(schema, known)
    wanted = set(schema.get("required", ()))
    wanted.update(*(option["required"] for option in schema.get("anyOf", ())))
    wanted = wanted or {*[*schema["properties"]][: schema.get("minProperties", 0)]}
    return {
        field: _of_field(name, field, part, known)
        for field, part in schema["properties"].items()
        if field in wanted
    }


def _of_field(name: str, field: str, schema: Schema, known: Mapping[str, Schema]) -> Any:
    return _VALUES.get(f"{name}.{field}", _VALUES.get(field)) or _of(schema, known)


def _of(schema: Schema, known: Mapping[str, Schema]) -> Any:  # noqa: PLR0911 -- a table of cases
    match schema:
        case {"default": value} | {"const": value} | {"enum": [value, *_]}:
            return value
        case {"$ref": str(target)}:
            return example(target.removeprefix(REF_PREFIX), known)
        case {"anyOf": [first, *_]}:
            return _of(first, known)
        case {"type": "array", "items": items}:
            return [_of(items, known)]
        case {"type": "object"}:
            return {}
        case {"type": "string"}:
            return "text"
        case {"type": "boolean"}:
            return False
        case _:
            return schema.get("minimum", 1)
