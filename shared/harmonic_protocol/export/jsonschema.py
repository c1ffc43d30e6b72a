"""One JSON Schema document of all payloads, and the payload of each message."""

from typing import Any

from harmonic_protocol.catalogue import COMMANDS, EVENTS, OPERATIONS
from harmonic_protocol.export import prose
from harmonic_protocol.export.definitions import definitions
from harmonic_protocol.export.envelopes import Rejected, accepted
from harmonic_protocol.export.operations import has_body
from harmonic_protocol.export.tidying import Schema, reference
from harmonic_protocol.messages.universes import Operation


def document() -> dict[str, Any]:
    """The whole document: definitions under ``$defs``, messages by the names on the wire."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": prose.TITLE,
        "description": (
            "The payloads of all messages under `$defs`. `commands`, `acks` and `events` refer to"
            " them by the names of the messages, `operations` by those of the HTTP API."
        ),
        "commands": {name: reference(command.__name__) for name, command in COMMANDS.items()},
        "acks": {
            name: {
                "anyOf": [reference(accepted(command).__name__), reference(Rejected.__name__)],
            }
            for name, command in COMMANDS.items()
        },
        "events": {name: reference(event.__name__) for name, event in EVENTS.items()},
        "operations": {name: _operation(operation) for name, operation in OPERATIONS.items()},
        "$defs": definitions(),
    }


def _operation(operation: type[Operation]) -> dict[str, Schema]:
    result: dict[str, Schema] = {}
    if has_body(operation):
        result["body"] = reference(operation.__name__)
    if operation.answer is not None:
        result["answer"] = reference(operation.answer.__name__)
    return result
