"""Live signals from one connection to its room, over all gateways, stored nowhere."""

import json
from typing import Any

from harmonic_gateway.sockets import Frame
from harmonic_protocol.messages.audio import AudioAnalysis, AudioAnalyzed
from harmonic_protocol.messages.declaration import Delivery
from harmonic_runtime.wire import Message

#: The sizes of the attachments that follow the JSON text in a signal's payload.
ATTACHMENT_BYTES = "Hu-Attachment-Bytes"


def pack(request: AudioAnalysis, *, user_id: str, timestamp: str) -> tuple[bytes, dict[str, str]]:
    """A signal's payload and headers: the event's JSON, then the typed arrays as they came."""
    event = AudioAnalyzed(
        universe_id=request.universe_id,
        analysis=request.analysis,
        user_id=user_id,
        timestamp=timestamp,
    )
    attachments: list[bytes] = []
    text = json.dumps(
        _with_placeholders(event.model_dump(by_alias=True), attachments),
        separators=(",", ":"),
        allow_nan=False,
    ).encode()
    sizes = ",".join(str(size) for size in (len(text), *map(len, attachments)))
    return b"".join((text, *attachments)), {ATTACHMENT_BYTES: sizes}


def unpack(message: Message) -> Frame:
    """The frame that a signal is sent to members as."""
    sizes = [int(size) for size in message.headers[ATTACHMENT_BYTES].split(",")]
    parts: list[bytes] = []
    offset = 0
    for size in sizes:
        parts.append(message.payload[offset : offset + size])
        offset += size
    text, *attachments = parts
    spec = AudioAnalyzed.spec
    return Frame(spec.name, text, attachments, droppable=spec.delivery is Delivery.LIVE)


def _with_placeholders(value: Any, attachments: list[bytes]) -> Any:
    match value:
        case bytes():
            attachments.append(value)
            return {"_placeholder": True, "num": len(attachments) - 1}
        case dict():
            return {key: _with_placeholders(item, attachments) for key, item in value.items()}
        case _:
            return value
