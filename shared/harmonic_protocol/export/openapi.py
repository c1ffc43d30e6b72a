"""The OpenAPI document of the HTTP API, which the gateway serves."""

import json
from http import HTTPStatus
from typing import Any

from harmonic_protocol.catalogue import OPERATIONS, STREAM_EVENTS
from harmonic_protocol.export import prose
from harmonic_protocol.export.definitions import operation_schema, reached, refer
from harmonic_protocol.export.operations import failures, has_body, path_fields
from harmonic_protocol.export.tidying import Schema, reference, sentence
from harmonic_protocol.messages.connection import PROTOCOL_VERSION
from harmonic_protocol.messages.declaration import API_PREFIX, JSON_TYPE
from harmonic_protocol.messages.following import EVENT_STREAM_TYPE, LAST_EVENT_ID
from harmonic_protocol.messages.universes import Operation

_COMPONENTS = "#/components/"
_OTHER_FAILURE = "OtherFailure"
#: The schemas of what callers send.
_BODIES = frozenset(operation.__name__ for operation in OPERATIONS.values() if has_body(operation))
#: Statuses whose answers say when to try again.
_WORTH_RETRYING = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
#: The header that `EventSource` sends by itself.
_LAST_EVENT: Schema = {
    "name": LAST_EVENT_ID,
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
}


def document() -> dict[str, Any]:
    """The whole document, as JSON values."""
    components = {
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        },
        "headers": {
            "RetryAfter": {
                "description": "The seconds after which another try is worth it.",
                "schema": {"type": "integer", "minimum": 0},
            }
        },
        "responses": {
            **{_failure_name(status): _failure(status) for status in prose.STATUSES},
            _OTHER_FAILURE: _json(prose.OTHER_STATUS, reference("ErrorBody")),
        },
    }
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": prose.TITLE,
            "description": f"{prose.SUMMARY}\n\n{prose.BEARER}",
            "version": str(PROTOCOL_VERSION),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": _paths(),
        "components": components,
    }
    components["schemas"] = {
        name: _for_generators(name, schema) for name, schema in reached(whole).items()
    }
    result: dict[str, Any] = refer(whole, f"{_COMPONENTS}schemas/")
    return result


def _for_generators(name: str, schema: Schema) -> Schema:
    """A schema in the form that generators of clients need.

    Generators make the names of choices from their values, so ``C`` and ``C#`` would collide. They
    also take a field with a default for one that is always present, which is not true of what
    callers send.
    """
    choices = schema.get("enum", ())
    if any(not str(choice).isidentifier() for choice in choices):
        names = [str(choice).upper().replace("#", "_SHARP") for choice in choices]
        schema = {**schema, "x-enum-varnames": names}
    if name in _BODIES:
        fields = {field: _sent(one) for field, one in schema["properties"].items()}
        schema = {**schema, "properties": fields}
    return schema


def _sent(field: Schema) -> Schema:
    """A field of a body; its default is described in words."""
    if "default" not in field:
        return field
    default = json.dumps(field["default"])
    told = f"{field.get('description', '')} {default} where it is not sent.".strip()
    return {**{key: each for key, each in field.items() if key != "default"}, "description": told}


def _paths() -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS.values():
        methods = paths.setdefault(API_PREFIX + operation.spec.path, {})
        methods[operation.spec.method.lower()] = _operation(operation)
    return {**paths, **_about_the_server()}


def _operation(operation: type[Operation]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "operationId": operation.spec.name,
        "summary": sentence(operation.__doc__ or ""),
        "description": f"For {prose.GRANTS[operation.spec.grant]}.",
    }
    parameters = list(_parameters(operation))
    if parameters:
        result["parameters"] = parameters
    if has_body(operation):
        content = {JSON_TYPE: {"schema": reference(operation.__name__)}}
        result["requestBody"] = {"required": True, "content": content}
    result["responses"] = {
        str(operation.spec.status): _success(operation),
        **{str(status.value): _response(_failure_name(status)) for status in failures(operation)},
        "default": _response(_OTHER_FAILURE),
    }
    return result


def _parameters(operation: type[Operation]) -> list[dict[str, Any]]:
    in_path = path_fields(operation)
    return [
        *([_LAST_EVENT] if operation.spec.media_type == EVENT_STREAM_TYPE else ()),
        *_fields(operation, in_path),
    ]


def _fields(operation: type[Operation], in_path: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path" if name in in_path else "query",
            "required": name in in_path,
            "schema": schema,
        }
        for name, schema in operation_schema(operation)["properties"].items()
        if name in in_path or not has_body(operation)
    ]


def _success(operation: type[Operation]) -> dict[str, Any]:
    description = HTTPStatus(operation.spec.status).phrase
    if operation.answer is not None:
        return _json(description, reference(operation.answer.__name__))
    if operation.spec.media_type == EVENT_STREAM_TYPE:
        # OpenAPI 3.1 cannot describe the parts of such an answer.
        events = {name: reference(event.__name__) for name, event in STREAM_EVENTS.items()}
        text = {"schema": {"type": "string"}, "x-events": events}
        return {"description": prose.STREAMED, "content": {EVENT_STREAM_TYPE: text}}
    if operation.spec.media_type != JSON_TYPE:
        file = {"schema": {"type": "string", "format": "binary"}}
        return {"description": description, "content": {operation.spec.media_type: file}}
    return {"description": description}


def _failure(status: HTTPStatus) -> dict[str, Any]:
    response = _json(prose.STATUSES[status], reference("ErrorBody"))
    if status in _WORTH_RETRYING:
        response["headers"] = {"Retry-After": {"$ref": f"{_COMPONENTS}headers/RetryAfter"}}
    return response


def _failure_name(status: HTTPStatus) -> str:
    return f"Status{status.value}"


def _response(name: str) -> dict[str, Any]:
    return {"$ref": f"{_COMPONENTS}responses/{name}"}


def _json(description: str, schema: Schema) -> dict[str, Any]:
    return {"description": description, "content": {JSON_TYPE: {"schema": schema}}}


def _about_the_server() -> dict[str, Any]:
    ready = reference("ReadinessBody")
    return {
        f"{API_PREFIX}/openapi.json": _open(
            "get_openapi", "This document.", {"200": _json("OK", {})}
        ),
        "/healthz": _open(
            "get_health",
            "Whether the process lives.",
            {"200": _json("It does.", reference("Health"))},
        ),
        "/readyz": _open(
            "get_readiness",
            "Whether the process takes new work.",
            {
                "200": _json("It does.", ready),
                "503": _json("It does not: it is starting, or about to stop.", ready),
            },
        ),
    }


def _open(name: str, summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    """A GET that needs no token."""
    operation = {"operationId": name, "summary": summary, "security": [], "responses": responses}
    return {"get": operation}
