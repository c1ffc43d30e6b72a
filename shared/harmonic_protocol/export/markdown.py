"""A page for people: how to connect, what to send, what is received, and what may fail."""

import json
from collections.abc import Iterator
from typing import Any

from harmonic_protocol.catalogue import COMMANDS, EVENTS, OPERATIONS, STREAM_EVENTS
from harmonic_protocol.export import prose
from harmonic_protocol.export.definitions import definitions, operation_schema, reached
from harmonic_protocol.export.envelopes import (
    Accepted,
    ConnectError,
    ErrorBody,
    Rejected,
    SignalAccepted,
    accepted,
)
from harmonic_protocol.export.examples import example
from harmonic_protocol.export.operations import failures
from harmonic_protocol.export.returning import chapter
from harmonic_protocol.export.tables import (
    Known,
    all_fields,
    field_table,
    kind,
    own_fields,
    table,
)
from harmonic_protocol.export.tidying import Schema, reference, sentence
from harmonic_protocol.messages.audio import MAX_ATTACHMENT_BYTES
from harmonic_protocol.messages.connection import PROTOCOL_VERSION, ConnectSuccess, TimeSynced
from harmonic_protocol.messages.declaration import (
    API_PREFIX,
    JSON_TYPE,
    KIB,
    LARGE_MESSAGE_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_MESSAGE_DEPTH,
    SIGNAL_BURST_BYTES,
    SIGNAL_BYTES_PER_S,
    Command,
    RateClass,
)
from harmonic_protocol.messages.universes import Operation

_THIS_PAGE = (
    "This page describes every command that a client sends, and every event that it receives."
    " [The guide](../docs/README.md) shows how to build an application."
)
_ACKS = (Accepted, SignalAccepted, TimeSynced, Rejected)


def document() -> str:
    """The whole page."""
    known = definitions()
    blocks = (
        *_opening(known),
        *_commands(known),
        *_events(known),
        *chapter(),
        *_errors(),
        *_limits(),
        *_http(known),
        *_streams(known),
        *_types(known),
    )
    return "\n\n".join(blocks) + "\n"


def _opening(known: Known) -> Iterator[str]:
    welcome = ConnectSuccess.spec.name
    yield f"# {prose.TITLE}: the protocol, version {PROTOCOL_VERSION}"
    yield "<!-- Generated from the declarations by `make contract`: change those. -->"
    yield f"{prose.SUMMARY} {_THIS_PAGE}"
    yield "## Connecting"
    yield _code("javascript", prose.CONNECTING)
    yield prose.ADDRESSES
    yield f"{prose.AUTHENTICATION} {prose.AUTH_FUNCTION}"
    yield f"An accepted connection is sent [`{welcome}`](#{welcome}). {prose.CONNECT_ERROR}"
    yield _example(ConnectError.__name__, known)
    yield prose.NOT_NOW


def _commands(known: Known) -> Iterator[str]:
    yield "## Commands"
    yield f"{prose.SOCKET_IO} {prose.ORDER}"
    yield table(
        ("Ack", "Example"),
        (
            (sentence(ack.__doc__ or ""), f"`{json.dumps(example(ack.__name__, known))}`")
            for ack in _ACKS
        ),
    )
    for name, command in COMMANDS.items():
        yield f"### `{name}`"
        yield from prose.of_command(command)
        yield field_table(all_fields(known[command.__name__], known), known)
        yield _code("javascript", _emitting(command, known))


def _emitting(command: type[Command], known: Known) -> str:
    payload = json.dumps(example(command.__name__, known), indent=2, ensure_ascii=False)
    ack = json.dumps(example(accepted(command).__name__, known))
    return f"socket.emit('{command.spec.name}', {payload}, ack => {{\n  // {ack}\n}});"


def _events(known: Known) -> Iterator[str]:
    yield "## Events"
    for name, event in EVENTS.items():
        yield f"### `{name}`"
        yield from prose.of_event(event)
        yield field_table(own_fields(known[event.__name__]), known)
        yield _example(event.__name__, known)


def _errors() -> Iterator[str]:
    yield "## Errors"
    yield prose.DETAILS
    yield table(("Code", "Means"), ((f"`{code}`", text) for code, text in prose.CODES.items()))


def _limits() -> Iterator[str]:
    yield "## Limits"
    yield prose.LIMITS
    rates = [(prose.counted(rate), prose.granted(rate)) for rate in RateClass]
    yield table(
        ("Limit", "Value"),
        (
            *rates,
            ("Bytes of live signals of a connection in a second", _signal_bytes()),
            ("Bytes of a message", f"{MAX_MESSAGE_BYTES // KIB} KiB"),
            *(
                (f"Bytes of a message of `{name}`", f"{command.spec.max_bytes // KIB} KiB")
                for name, command in COMMANDS.items()
                if command.spec.max_bytes != MAX_MESSAGE_BYTES
            ),
            ("Bytes of a typed array", f"{MAX_ATTACHMENT_BYTES // KIB} KiB"),
            ("Bytes to stay below where possible", f"{LARGE_MESSAGE_BYTES // KIB} KiB"),
            ("Levels of objects and lists in a message", str(MAX_MESSAGE_DEPTH)),
        ),
    )


def _signal_bytes() -> str:
    average, burst = (size // 1024 // KIB for size in (SIGNAL_BYTES_PER_S, SIGNAL_BURST_BYTES))
    return f"{average} MiB on average, {burst} MiB at once"


def _http(known: Known) -> Iterator[str]:
    yield "## HTTP API"
    yield f"{prose.BEARER} {prose.HTTP}"
    yield _example(ErrorBody.__name__, known)
    yield table(
        ("Status", "Means"),
        ((str(status.value), text) for status, text in prose.STATUSES.items()),
    )
    yield prose.HIDDEN
    yield prose.SERVICES
    yield table(
        ("Operation", "For", "Services may"),
        (
            (
                f"`{spec.method} {spec.path}`",
                prose.GRANTS[spec.grant],
                "yes" if spec.services else "no",
            )
            for spec in (operation.spec for operation in OPERATIONS.values())
        ),
    )
    for operation in OPERATIONS.values():
        yield f"### `{operation.spec.method} {API_PREFIX}{operation.spec.path}`"
        yield f"{sentence(operation.__doc__ or '')} For {prose.GRANTS[operation.spec.grant]}."
        fields = list(own_fields(operation_schema(operation)))
        if fields:
            yield field_table(fields, known)
        yield _answer(operation)


def _streams(known: Known) -> Iterator[str]:
    yield "## Following a universe"
    yield from prose.STREAMS
    yield _code("", prose.STREAM_OF_BYTES)
    yield prose.STREAMS_IN_BROWSERS
    yield _code("javascript", prose.STREAM_BY_FETCH)
    yield _code("javascript", prose.STREAM_BY_LINK)
    for name, event in STREAM_EVENTS.items():
        yield f"### `{name}`"
        yield sentence(event.__doc__ or "")
        yield field_table(own_fields(known[event.__name__]), known)
        yield _example(event.__name__, known)


def _answer(operation: type[Operation]) -> str:
    statuses = ", ".join(str(status.value) for status in failures(operation))
    content = ""
    if operation.answer is not None:
        content = f" with {kind(reference(operation.answer.__name__))}"
    elif operation.spec.media_type != JSON_TYPE:
        content = f" with `{operation.spec.media_type}`"
    return f"Answered by {operation.spec.status}{content}, or by {statuses}."


def _types(known: Known) -> Iterator[str]:
    yield "## Types"
    told: list[Any] = [
        [schema for command in COMMANDS.values() for _, schema, _ in _said(command, known)],
        [known[event.__name__] for event in (*EVENTS.values(), *STREAM_EVENTS.values())],
        [operation_schema(operation) for operation in OPERATIONS.values()],
        [
            reference(operation.answer.__name__)
            for operation in OPERATIONS.values()
            if operation.answer
        ],
        [reference(model.__name__) for model in (ConnectError, ErrorBody)],
    ]
    for name, schema in reached(told).items():
        yield f"### `{name}`"
        yield schema["description"]
        yield _body(schema, known)


def _body(schema: Schema, known: Known) -> str:
    """The fields of an object, the values of a choice with their meanings, or the type."""
    if "properties" in schema:
        return field_table(own_fields(schema), known)
    if "oneOf" in schema:
        options = ((f"`{option['const']}`", option["description"]) for option in schema["oneOf"])
        return table(("Value", "Means"), options)
    return f"{kind(schema)[:1].upper()}{kind(schema)[1:]}."


def _said(command: type[Command], known: Known) -> Iterator[Any]:
    return all_fields(known[command.__name__], known)


def _example(name: str, known: Known) -> str:
    return _code("json", json.dumps(example(name, known), indent=2, ensure_ascii=False))


def _code(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"
