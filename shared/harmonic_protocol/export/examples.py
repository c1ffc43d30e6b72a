"""A short example of any type: built from its schema and a few values that look real."""

from collections.abc import Mapping
from typing import Any

from harmonic_protocol.export.tidying import REF_PREFIX, Schema
from harmonic_protocol.messages.audio import MAX_AUDIO_MESSAGE_BYTES
from harmonic_protocol.messages.declaration import MAX_MESSAGE_BYTES, MAX_MESSAGE_DEPTH
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
    "audioMessageBytes": MAX_AUDIO_MESSAGE_BYTES,
    "largerMessageBytes": {"audio_analysis": MAX_AUDIO_MESSAGE_BYTES},
    "ConnectError.message": "Invalid token",
    "ConnectRefusal": {
        "error": "Invalid token",
        "code": "AUTH_ERROR",
        "details": {"reason": "INVALID"},
    },
    "Duration": 8,
    "ErrorReported": _REFUSED,
    "ErrorBody": {
        "error": {
            "code": "NOT_FOUND",
            "message": "Universe not found",
            "details": {"errorId": "e7YwR0aT"},
        }
    },
    "messageBytes": MAX_MESSAGE_BYTES,
    "messageDepth": MAX_MESSAGE_DEPTH,
    "name": "Our universe",
    "Note": {"pitch": 60, "startTime": 0, "duration": 0.5, "velocity": 80},
    "queuedCommands": 256,
    "RecoveryReport": {"outcome": "new", "reason": "NONE"},
    "Refused": _REFUSED,
    "requestId": "R4x1mZ0q",
    "RoomRefused": {
        "error": "Universe not found",
        "code": "NOT_FOUND",
        "message": "Universe not found",
        "details": {"event": "join_room", "universeId": "universe-123"},
        "universeId": "universe-123",
    },
    "connections": 64,
    "rooms": 8,
    "Seed": 7,
    "seq": 42,
    "sessionId": "s1Jq0b7c",
    "tempo": 120,
    "Timestamp": "2024-03-21T10:30:00.000Z",
    "token": "your-jwt-token",
    "UniverseId": "universe-123",
    "UniverseName": "Our universe",
    "UserId": "user-123",
    "username": "john_doe",
}


def example(name: str, known: Mapping[str, Schema]) -> Any:
    """An example of the type ``name`` with the fields that it must have, or its first one."""
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
