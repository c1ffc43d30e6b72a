"""How the declared operations lie in HTTP: paths, queries, bodies, answers and statuses."""

import re
from http import HTTPStatus

from harmonic_protocol.messages.universes import (
    CreateUniverse,
    GetMusic,
    Operation,
    UniverseOperation,
)

#: Where the HTTP API begins.
PREFIX = "/api/v1"
JSON_TYPE = "application/json"
MIDI_TYPE = "audio/midi"

_WITHOUT_BODY = {"GET", "DELETE"}


def path_fields(operation: type[Operation]) -> tuple[str, ...]:
    """The wire names of the fields in the operation's path, in their order."""
    return tuple(re.findall(r"\{(\w+)\}", operation.spec.path))


def has_body(operation: type[Operation]) -> bool:
    """Whether the operation's other fields come in a JSON body; else they come in the query."""
    return operation.spec.method not in _WITHOUT_BODY


def answer_type(operation: type[Operation]) -> str | None:
    """The media type of a successful answer; ``None`` where it has no body."""
    if operation is GetMusic:
        return MIDI_TYPE
    return JSON_TYPE if operation.answer else None


def failures(operation: type[Operation]) -> tuple[HTTPStatus, ...]:
    """The statuses with which the operation may be refused."""
    on_universe = issubclass(operation, UniverseOperation)
    changes = operation.spec.method != "GET"
    possible = {
        HTTPStatus.BAD_REQUEST: True,
        HTTPStatus.UNAUTHORIZED: True,
        HTTPStatus.FORBIDDEN: on_universe and changes,
        HTTPStatus.NOT_FOUND: on_universe,
        HTTPStatus.CONFLICT: operation is CreateUniverse,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: has_body(operation),
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: has_body(operation),
        HTTPStatus.TOO_MANY_REQUESTS: True,
        HTTPStatus.SERVICE_UNAVAILABLE: True,
    }
    return tuple(status for status, may in possible.items() if may)
