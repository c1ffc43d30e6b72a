"""The AsyncAPI document of the Socket.IO side, as the server sees it: it receives commands."""

from collections.abc import Mapping
from typing import Any

from harmonic_protocol.catalogue import COMMANDS, EVENTS
from harmonic_protocol.export import prose
from harmonic_protocol.export.definitions import definitions, reached, refer
from harmonic_protocol.export.envelopes import (
    Accepted,
    ConnectAuth,
    ConnectError,
    Rejected,
    SignalAccepted,
    accepted,
)
from harmonic_protocol.export.examples import example
from harmonic_protocol.export.tidying import Schema, reference, sentence
from harmonic_protocol.messages.connection import PROTOCOL_VERSION, ConnectSuccess, TimeSynced
from harmonic_protocol.messages.declaration import JSON_TYPE, Command
from harmonic_protocol.schema import WireModel

_CHANNEL = "socket"
_COMPONENTS = "#/components/"
#: Packets of Socket.IO that are not events, by their names in its protocol.
_CONNECT = "CONNECT"
_CONNECT_ERROR = "CONNECT_ERROR"
_ACKS: Mapping[type[WireModel], str] = {
    Accepted: "accepted",
    SignalAccepted: "signal_accepted",
    TimeSynced: "time_synced",
    Rejected: "rejected",
}


def document() -> dict[str, Any]:
    """The whole document, as JSON values."""
    known = definitions()
    messages = _messages(known)
    whole = {
        "asyncapi": "3.0.0",
        "info": {
            "title": prose.TITLE,
            "description": f"{prose.SUMMARY}\n\n{prose.SOCKET_IO}\n\n{prose.AUTHENTICATION}",
            "version": str(PROTOCOL_VERSION),
            "license": {"name": "MIT"},
        },
        "defaultContentType": JSON_TYPE,
        "servers": _servers(),
        "channels": {
            _CHANNEL: {
                "address": "{namespace}",
                "title": "A namespace of Socket.IO",
                "parameters": {
                    "namespace": {
                        "description": "Both namespaces are the same.",
                        "enum": list(prose.NAMESPACES),
                        "default": prose.NAMESPACES[0],
                    }
                },
                "messages": {name: {"$ref": f"{_COMPONENTS}messages/{name}"} for name in messages},
            }
        },
        "operations": _operations(),
    }
    components = {
        "messages": messages,
        "schemas": reached(messages),
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            "query": {"type": "httpApiKey", "name": "token", "in": "query"},
        },
    }
    result: dict[str, Any] = refer({**whole, "components": components}, f"{_COMPONENTS}schemas/")
    return result


def _servers() -> dict[str, Any]:
    canonical, alias = prose.ENGINE_PATHS
    return {
        name: {
            "host": "{host}",
            "pathname": path,
            "protocol": "wss",
            "description": "Engine.IO, over WebSocket or HTTP long polling.",
            "variables": {"host": {"default": "localhost:8000"}},
            "security": [
                {"$ref": f"{_COMPONENTS}securitySchemes/{scheme}"} for scheme in ("bearer", "query")
            ],
        }
        for name, path in (("canonical", canonical), ("alias", alias))
    }


def _messages(known: Mapping[str, Schema]) -> dict[str, Any]:
    connect = [sentence(ConnectAuth.__doc__ or ""), prose.AUTHENTICATION]
    return {
        _CONNECT: _message(_CONNECT, ConnectAuth, connect, known),
        _CONNECT_ERROR: _message(_CONNECT_ERROR, ConnectError, [prose.CONNECT_ERROR], known),
        **{
            name: {
                **_message(name, command, prose.of_command(command), known),
                **({"x-rate-class": command.spec.rate.value} if command.spec.rate else {}),
                "x-max-bytes": command.spec.max_bytes,
            }
            for name, command in COMMANDS.items()
        },
        **{
            name: {
                **_message(name, event, prose.of_event(event), known),
                "x-delivery": event.spec.delivery.value,
                "x-audience": event.spec.audience.value,
            }
            for name, event in EVENTS.items()
        },
        **{
            name: _message(name, ack, [sentence(ack.__doc__ or "")], known)
            for ack, name in _ACKS.items()
        },
    }


def _message(
    name: str, model: type[WireModel], text: list[str], known: Mapping[str, Schema]
) -> dict[str, Any]:
    return {
        "name": name,
        "summary": text[0],
        "description": "\n\n".join(text),
        "payload": reference(model.__name__),
        "examples": [{"payload": example(model.__name__, known)}],
    }


def _operations() -> dict[str, Any]:
    return {
        "connect": {
            "action": "receive",
            "summary": "A client connects to a namespace.",
            **_on_channel(_CONNECT),
            "reply": _on_channel(ConnectSuccess.spec.name, _CONNECT_ERROR),
        },
        **{
            name: {
                "action": "receive",
                "summary": sentence(command.__doc__ or ""),
                **_on_channel(name),
                "reply": _on_channel(*_acks(command)),
            }
            for name, command in COMMANDS.items()
        },
        **{
            name: {
                "action": "send",
                "summary": sentence(event.__doc__ or ""),
                **_on_channel(name),
            }
            for name, event in EVENTS.items()
        },
    }


def _acks(command: type[Command]) -> tuple[str, str]:
    return _ACKS[accepted(command)], _ACKS[Rejected]


def _on_channel(*messages: str) -> dict[str, Any]:
    channel = f"#/channels/{_CHANNEL}"
    return {
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in messages],
    }
