"""How the declared operations map to HTTP: the path, the body, and the possible failures."""

import re
from http import HTTPStatus

from harmonic_protocol.messages.universes import (
    CreateUniverse,
    Operation,
    UniverseOperation,
    UpdateUniverse,
)

_WITHOUT_BODY = {"GET", "DELETE"}
#: An id may be taken, or a user may own no more universes.
_MAY_CONFLICT: tuple[type[Operation], ...] = (CreateUniverse, UpdateUniverse)


def path_fields(operation: type[Operation]) -> tuple[str, ...]:
    """The wire names of the fields in the operation's path, in their order."""
    return tuple(re.findall(r"\{(\w+)\}", operation.spec.path))


def has_body(operation: type[Operation]) -> bool:
    """Whether the operation has fields in a JSON body."""
    return operation.spec.method not in _WITHOUT_BODY and has_more_than_path(operation)


def has_more_than_path(operation: type[Operation]) -> bool:
    """Whether the operation has fields besides those in its path."""
    return len(operation.model_fields) > len(path_fields(operation))


def failures(operation: type[Operation]) -> tuple[HTTPStatus, ...]:
    """The statuses with which the operation may be refused."""
    on_universe = issubclass(operation, UniverseOperation)
    possible = {
        HTTPStatus.BAD_REQUEST: True,
        HTTPStatus.UNAUTHORIZED: True,
        HTTPStatus.FORBIDDEN: on_universe,
        HTTPStatus.NOT_FOUND: on_universe,
        HTTPStatus.CONFLICT: operation in _MAY_CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: has_body(operation),
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: has_body(operation),
        HTTPStatus.TOO_MANY_REQUESTS: True,
        HTTPStatus.SERVICE_UNAVAILABLE: True,
    }
    return tuple(status for status, may in possible.items() if may)
