"""The JSON Schema of every payload and every type within, by name: the base of all documents."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from harmonic_protocol import values
from harmonic_protocol.catalogue import COMMANDS, EVENTS, OPERATIONS, STREAM_EVENTS
from harmonic_protocol.export import envelopes
from harmonic_protocol.export.operations import has_body, path_fields
from harmonic_protocol.export.tidying import (
    REF_PREFIX,
    TYPED_ARRAY,
    Schema,
    public_name,
    tidied,
)
from harmonic_protocol.messages.connection import TimeSynced
from harmonic_protocol.messages.music import Duration, Seed
from harmonic_protocol.messages.universes import Operation

#: Types without a class, whose schemas pydantic repeats at each use.
NAMED_VALUES: Mapping[str, Any] = {
    "Mode": values.Mode,
    "Visibility": values.Visibility,
    "UniverseId": values.UniverseId,
    "UserId": values.UserId,
    "UniverseName": values.UniverseName,
    "OperationId": values.OperationId,
    "Timestamp": values.Timestamp,
    "Key": values.Key,
    "Scale": values.Scale,
    "ColorScheme": values.ColorScheme,
    "Duration": Duration,
    "Seed": Seed,
}
_ENVELOPES = (
    envelopes.Details,
    envelopes.Accepted,
    envelopes.SignalAccepted,
    TimeSynced,
    envelopes.Rejected,
    envelopes.ConnectAuth,
    envelopes.ConnectError,
    envelopes.ErrorBody,
    envelopes.Health,
    envelopes.ReadinessBody,
)
#: A typed array in the JSON text of a Socket.IO packet: its bytes follow as an attachment.
_PLACEHOLDER: Schema = {
    "type": "object",
    "properties": {"_placeholder": {"const": True}, "num": {"type": "integer", "minimum": 0}},
    "required": ["_placeholder", "num"],
    "additionalProperties": False,
}


def definitions() -> dict[str, Schema]:
    """All of them, in alphabetical order; references are relative to ``#/$defs/``."""
    named = _named()
    derived = _derived()
    for operation in filter(has_body, OPERATIONS.values()):
        _leave_out(derived[operation.__name__], path_fields(operation))
    found = {
        **{name: tidied(name, schema, {}) for name, schema in named.items()},
        **{
            public_name(name): tidied(public_name(name), schema, named)
            for name, schema in derived.items()
        },
        TYPED_ARRAY: tidied(TYPED_ARRAY, _PLACEHOLDER, {}),
    }
    return dict(sorted(found.items()))


def operation_schema(operation: type[Operation]) -> Schema:
    """The schema of all fields of an operation, in path, query and body."""
    return tidied(operation.__name__, operation.model_json_schema(by_alias=True), _named())


def reached(part: Any) -> dict[str, Schema]:
    """The definitions that a part of a document refers to, directly or indirectly."""
    known = definitions()
    found: set[str] = set()
    found_now = _names(part)
    while found_now:
        found |= found_now
        found_now = set().union(*(_names(known[name]) for name in found_now)) - found
    return {name: schema for name, schema in known.items() if name in found}


def refer(value: Any, prefix: str) -> Any:
    """A copy of a part of a document whose references to definitions begin with ``prefix``."""
    match value:
        case {"$ref": str(target), **rest} if target.startswith(REF_PREFIX):
            return {"$ref": prefix + target.removeprefix(REF_PREFIX), **refer(rest, prefix)}
        case dict():
            return {key: refer(item, prefix) for key, item in value.items()}
        case list():
            return [refer(item, prefix) for item in value]
        case _:
            return value


def _names(value: Any) -> set[str]:
    match value:
        case str() if value.startswith(REF_PREFIX):
            return {value.removeprefix(REF_PREFIX)}
        case dict():
            return set().union(*map(_names, value.values()))
        case list():
            return set().union(*map(_names, value))
        case _:
            return set()


def _named() -> dict[str, Schema]:
    return {name: TypeAdapter(value).json_schema() for name, value in NAMED_VALUES.items()}


def _derived() -> dict[str, Schema]:
    said: list[type[BaseModel]] = [
        *COMMANDS.values(),
        *filter(has_body, OPERATIONS.values()),
    ]
    told: list[type[BaseModel]] = [
        *EVENTS.values(),
        *STREAM_EVENTS.values(),
        *(operation.answer for operation in OPERATIONS.values() if operation.answer),
        *_ENVELOPES,
    ]
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((model, "validation") for model in said),
        *((model, "serialization") for model in told),
    ]
    _, document = models_json_schema(modes, by_alias=True, ref_template=REF_PREFIX + "{model}")
    schemas: dict[str, Schema] = document["$defs"]
    return schemas


def _leave_out(schema: Schema, names: tuple[str, ...]) -> None:
    schema["properties"] = {k: v for k, v in schema["properties"].items() if k not in names}
    schema["required"] = [name for name in schema.get("required", ()) if name not in names]
