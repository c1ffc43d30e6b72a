"""Reads Socket.IO packets within bounds: python-socketio's codec, with missing checks added.

A text that is not a packet raises ``Malformed``; the connection cannot be used after that.
"""

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic_core import from_json
from socketio.packet import BINARY_ACK, BINARY_EVENT, CONNECT, EVENT, Packet

from harmonic_gateway.sockets.connection import Received
from harmonic_gateway.sockets.limits import (
    MAX_ATTACHMENTS,
    MAX_BRACKETS,
    MAX_COLONS,
    MAX_COMMAS,
    MAX_CONTROL_BYTES,
    MAX_SURROGATES,
)

#: The head of every packet: type, number of attachments, namespace and ack id.
_HEAD = re.compile(r"([0-6])(?:(\d{1,2})-)?(/[^,]*(?:,|$))?(\d{1,15})?(?!\d)", re.ASCII)
#: The name of an event whose arguments are not read.
_NAME = re.compile(r'\s*\[\s*"([^"\\]{0,100})"')
#: An escaped surrogate, which may be a lone one.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
#: Longer numbers are outside every valid range and would take time to convert.
_MAX_EXACT_CHARACTERS = 20
#: A shorter text is read in a quarter of the time, since its numbers need no bound.
_SHORT_CHARACTERS = 512
_EVENT_DATA = (Received, list)
#: The default: no event has a larger bound of its own.
NONE: Mapping[str, int] = MappingProxyType({})


class Malformed(ValueError):
    """A client violates the protocol of Socket.IO."""


def _bounded_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_EXACT_CHARACTERS else float(digits)


class _Json:
    """The codec's JSON, which bounds the work for long numbers and replaces lone surrogates."""

    dumps = staticmethod(json.dumps)
    _decode = staticmethod(json.JSONDecoder(parse_int=_bounded_int).decode)

    @classmethod
    def loads(cls, text: str) -> Any:
        if len(text) <= _SHORT_CHARACTERS:
            try:
                return from_json(text)
            except ValueError:
                # Lone surrogates, or no JSON at all.
                pass
        value = cls._decode(text)
        if _SURROGATE.search(text) is None:
            return value
        # JavaScript sends a lone surrogate where a text was cut inside a character.
        whole = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass")
        return cls._decode(whole.decode("utf-16", "replace"))


class _Packet(Packet):  # type: ignore[misc]  # python-socketio ships no types
    json = _Json


class Incoming:
    """A packet that was read. An event is complete once all of its attachments are there."""

    __slots__ = (
        "_attachments",
        "_awaited",
        "_is_event",
        "_is_wide",
        "ack_id",
        "data",
        "kind",
        "namespace",
        "size_bytes",
    )

    def __init__(self, text: str, max_bytes: int, larger_bytes: Mapping[str, int] = NONE) -> None:
        """Read a packet. An event has at most ``max_bytes``, or its own bound in ``larger_bytes``.

        Raise :class:`Malformed` for a text that is not a packet.
        """
        head = _HEAD.match(text)
        if head is None:
            raise Malformed("no packet")
        self.kind = int(head[1])
        self.namespace = (head[3] or "/").rstrip(",").partition("?")[0]
        self.ack_id = int(head[4]) if head[4] else None
        self.size_bytes = len(text) if text.isascii() else len(text.encode())
        self._is_wide = False
        self._awaited = int(head[2] or 0)
        self._attachments: list[bytes] = []
        self._is_event = self.kind in (EVENT, BINARY_EVENT)
        is_binary = self.kind in (BINARY_EVENT, BINARY_ACK)
        if self._awaited > MAX_ATTACHMENTS or bool(head[2]) != is_binary:
            raise Malformed("attachments")
        self.data = self._read(text, head.end(), max_bytes, larger_bytes)
        if self._is_event and not isinstance(self.data, _EVENT_DATA):
            raise Malformed("no event")

    @property
    def complete(self) -> bool:
        """Whether all attachments are there."""
        return len(self._attachments) == self._awaited

    def attach(self, attachment: bytes) -> None:
        """Add the next attachment."""
        self._attachments.append(attachment)
        self.size_bytes += len(attachment)

    def event(self) -> Received:
        """The event of a complete packet."""
        if isinstance(self.data, Received):
            return Received(self.data.name, None, self.ack_id, self.size_bytes, self._is_wide)
        name, *args = self.data
        if self._awaited:
            try:
                args = _filled(args, self._attachments)
            except RecursionError:
                return Received(name, None, self.ack_id, self.size_bytes)
        return Received(name, tuple(args), self.ack_id, self.size_bytes)

    def _read(self, text: str, start: int, max_bytes: int, larger_bytes: Mapping[str, int]) -> Any:
        if self._is_event and self.size_bytes > max_bytes:
            unread = self._unread(text, start)
            if self.size_bytes > larger_bytes.get(unread.name, max_bytes):
                return unread
        if self._is_event and _is_wide(text):
            self._is_wide = True
            return self._unread(text, start)
        if not self._is_event and self.size_bytes > MAX_CONTROL_BYTES:
            raise Malformed("too large")
        try:
            # The head of these is parsed already; the codec would parse it again.
            if self._is_event or (self.kind == CONNECT and start < len(text)):
                data = _Json.loads(text[start:])
            else:
                data = _Packet(encoded_packet=text).data
        except RecursionError:
            return self._unread(text, start)
        except ValueError as error:
            raise Malformed("no JSON") from error
        if self._is_event and not (isinstance(data, list) and data and isinstance(data[0], str)):
            raise Malformed("no event")
        if self.kind == CONNECT and not isinstance(data, dict | None):
            raise Malformed("no object to connect with")
        return data

    def _unread(self, text: str, start: int) -> Received:
        name = _NAME.match(text, start)
        return Received(name[1] if name else "", None, None, 0)


def _is_wide(text: str) -> bool:
    """Whether a text has more values, objects or surrogates than any declared event."""
    # A text this short cannot have more.
    if len(text) <= MAX_SURROGATES:
        return False
    return (
        text.count(",") > MAX_COMMAS
        or text.count("[") + text.count("{") > MAX_BRACKETS
        or text.count(":") > MAX_COLONS
        or text.count("\\ud") + text.count("\\uD") > MAX_SURROGATES
    )


def _filled(value: Any, attachments: Sequence[bytes]) -> Any:
    """The value with its attachments; each must have exactly one place."""
    left = dict(enumerate(attachments))

    def fill(value: Any) -> Any:
        match value:
            case {"_placeholder": True, "num": int(number)}:
                if number not in left:
                    raise Malformed("a placeholder without an attachment of its own")
                return left.pop(number)
            case dict():
                return {key: fill(item) for key, item in value.items()}
            case list():
                return [fill(item) for item in value]
            case _:
                return value

    result = fill(value)
    if left:
        raise Malformed("an attachment without a place")
    return result
