"""Events as bytes: encoded once for each namespace, and written to every member unchanged."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from socketio.packet import BINARY_EVENT, EVENT

from harmonic_gateway.sockets.compression import COMPRESSED_ABOVE_BYTES, Body, LargeText

#: The first bytes of unfragmented WebSocket frames, by opcode (RFC 6455, section 5.2), and the bit
#: of a compressed one (RFC 7692, section 6).
_TEXT, _BINARY, _CLOSE, _PONG, _COMPRESSED = 0x81, 0x82, 0x88, 0x8A, 0x40
_SHORT_BYTES = 126
_MEDIUM_BYTES = 65536
#: Engine.IO's packet type for packets of Socket.IO.
_MESSAGE = b"4"
#: Bytes up to which frames that are kept for replay are joined. None is worth compressing.
MAX_JOINED_BYTES = COMPRESSED_ABOVE_BYTES * 3 // 4
#: Encoded forms of one frame that are kept. Each client in several rooms has its own form.
MAX_FORMS = 4


def _websocket_frame(opcode: int, payload: bytes) -> bytes:
    """A server's frame. It is not masked, so it has the same bytes for every client."""
    size = len(payload)
    if size < _SHORT_BYTES:
        return bytes((opcode, size)) + payload
    if size < _MEDIUM_BYTES:
        return bytes((opcode, 126)) + size.to_bytes(2) + payload
    return bytes((opcode, 127)) + size.to_bytes(8) + payload


def _payload_of(frame: bytes) -> bytes:
    """The payload of one frame of :func:`_websocket_frame`."""
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]


def close_frame(code: int) -> bytes:
    """The WebSocket frame that closes a connection."""
    return _websocket_frame(_CLOSE, code.to_bytes(2))


def pong_frame(data: bytes) -> bytes:
    """The WebSocket frame that answers a ping."""
    return _websocket_frame(_PONG, data)


class Encoded:
    """Encoded Engine.IO packets, together with the WebSocket frames that carry them.

    ``parts`` are the events that were joined to be written at once. The other attributes are those
    of :class:`Frame`. A single text is kept in its WebSocket frame alone until it is polled.
    """

    __slots__ = (
        "_compressed",
        "_gzipped",
        "_large",
        "_packets",
        "compressible",
        "droppable",
        "over_s",
        "parts",
        "raw",
        "supersedes",
    )

    def __init__(
        self,
        packets: Sequence[bytes | str] | None,
        raw: bytes,
        *,
        large: LargeText | None = None,
        supersedes: str | None = None,
        droppable: bool = False,
        over_s: float | None = None,
    ) -> None:
        self._packets = packets
        self.raw = raw
        self.parts: Sequence[Encoded] = ()
        self.compressible = large is not None
        self.supersedes = supersedes
        self.droppable = droppable
        self.over_s = over_s
        self._large = large
        self._compressed: bytes | None = None
        self._gzipped: bytes | None = None

    @classmethod
    def of(
        cls,
        packets: Sequence[bytes | str],
        *,
        large: LargeText | None = None,
        supersedes: str | None = None,
        droppable: bool = False,
        over_s: float | None = None,
    ) -> "Encoded":
        """Encode packets: text with its Engine.IO type, or an attachment's bytes."""
        raw = [
            _websocket_frame(_BINARY, packet)
            if isinstance(packet, bytes)
            else _websocket_frame(_TEXT, packet.encode())
            for packet in packets
        ]
        return cls(
            packets,
            b"".join(raw),
            large=large,
            supersedes=supersedes,
            droppable=droppable,
            over_s=over_s,
        )

    @classmethod
    def text(cls, text: bytes) -> "Encoded":
        """Encode one text, given in UTF-8 with its Engine.IO type."""
        return cls(None, _websocket_frame(_TEXT, text))

    @property
    def packets(self) -> Sequence[bytes | str]:
        """The Engine.IO packets: text with its type, or an attachment's bytes."""
        if self._packets is None:
            self._packets = (_payload_of(self.raw).decode(),)
        return self._packets

    @classmethod
    def joined(cls, parts: Sequence["Encoded"]) -> "Encoded":
        """Several encoded events as one."""
        if len(parts) == 1:
            return parts[0]
        packets = [packet for part in parts for packet in part.packets]
        whole = cls(packets, b"".join([part.raw for part in parts]))
        whole.parts = parts
        whole.compressible = any(part.compressible for part in parts)
        return whole

    @property
    def compressed(self) -> bytes:
        """The WebSocket frames for clients that negotiated compression."""
        if self._compressed is None:
            self._compressed = self._compress()
        return self._compressed

    @property
    def gzipped(self) -> bytes | None:
        """The packet as a compressed answer to a poll; ``None`` if it is not large."""
        if self._gzipped is None and self._large is not None and len(self.packets) == 1:
            self._gzipped = self._large.gzipped()
        return self._gzipped

    def _compress(self) -> bytes:
        if self._large is None:
            return b"".join([part.compressed for part in self.parts]) if self.parts else self.raw
        text = _websocket_frame(_TEXT | _COMPRESSED, self._large.message())
        attachments = [
            _websocket_frame(_BINARY, packet)
            for packet in self.packets
            if isinstance(packet, bytes)
        ]
        return b"".join((text, *attachments))


class Frame:
    """An event for any number of clients.

    ``offset`` is sent as the last argument to clients that can resume. Such a client returns the
    offset of the last event that it received.

    For clients that do not keep up: an event ``supersedes`` waiting earlier ones with the same
    value. A ``droppable`` event may be left out, and so may an event after ``over_s``, by the
    clock of the event loop.

    ``seq`` is its number in its universe, 0 without one.
    """

    __slots__ = (
        "_attachments",
        "_body",
        "_encoded",
        "_name",
        "droppable",
        "offset",
        "over_s",
        "seq",
        "supersedes",
    )

    def __init__(
        self,
        name: str,
        data: bytes,
        attachments: Sequence[bytes] = (),
        offset: str | None = None,
        *,
        supersedes: str | None = None,
        droppable: bool = False,
        over_s: float | None = None,
        seq: int = 0,
    ) -> None:
        self._name = name
        self._body = Body(data)
        self._attachments = attachments
        self._encoded: dict[tuple[str, str | None], Encoded] = {}
        self.offset = offset
        self.seq = seq
        self.supersedes = supersedes
        self.droppable = droppable
        self.over_s = over_s

    @property
    def name(self) -> str:
        """The event's name."""
        return self._name

    @property
    def data(self) -> bytes:
        """The event's argument, as JSON."""
        return self._body.data

    @property
    def size_bytes(self) -> int:
        """Bytes of its data and attachments, before encoding."""
        return len(self._body.data) + sum(map(len, self._attachments))

    @classmethod
    def event(
        cls,
        name: str,
        data: bytes,
        offset: str | None = None,
        *,
        supersedes: str | None = None,
        over_s: float | None = None,
        seq: int = 0,
    ) -> "Frame":
        """An event with one argument, given as JSON."""
        return cls(name, data, offset=offset, supersedes=supersedes, over_s=over_s, seq=seq)

    @classmethod
    def binary(cls, name: str, data: bytes, attachments: Sequence[bytes]) -> "Frame":
        """An event whose JSON has placeholders for ``attachments``."""
        return cls(name, data, attachments)

    def encoded(self, namespace: str, elsewhere: str | None = None) -> Encoded:
        """The packets for members of a namespace.

        With ``elsewhere``, they contain the offset, followed by that text: the member's places in
        other rooms.
        """
        key = (namespace, elsewhere)
        known = self._encoded.get(key)
        if known is None:
            known = self._encode(namespace, elsewhere)
            if len(self._encoded) < MAX_FORMS:
                self._encoded[key] = known
        return known

    def _encode(self, namespace: str, elsewhere: str | None) -> Encoded:
        kind = f"{BINARY_EVENT}{len(self._attachments)}-" if self._attachments else f"{EVENT}"
        place = "" if namespace == "/" else f"{namespace},"
        head = _MESSAGE + f'{kind}{place}["{self._name}",'.encode()
        tail = b"]"
        if elsewhere is not None and self.offset is not None:
            tail = f',"{self.offset}{elsewhere}"]'.encode()
        body = self._body
        text = b"".join((head, body.data, tail))
        raw = _websocket_frame(_TEXT, text)
        packets: Sequence[bytes | str] | None = None
        if self._attachments:
            packets = (text.decode(), *self._attachments)
            frames = [_websocket_frame(_BINARY, each) for each in self._attachments]
            raw = b"".join((raw, *frames))
        return Encoded(
            packets,
            raw,
            large=LargeText(head, body, tail) if len(text) > COMPRESSED_ABOVE_BYTES else None,
            supersedes=self.supersedes,
            droppable=self.droppable,
            over_s=self.over_s,
        )


class JoinedFrame(Frame):
    """Consecutive events that are sent together, at most ``MAX_JOINED_BYTES`` in all."""

    __slots__ = ("_frames",)

    def __init__(self, frames: Sequence[Frame]) -> None:
        super().__init__("", b"")
        self._frames = frames

    @property
    def size_bytes(self) -> int:
        """Bytes of their data before encoding."""
        return sum(frame.size_bytes for frame in self._frames)

    def _encode(self, namespace: str, elsewhere: str | None) -> Encoded:
        # Not by ``encoded``, which would keep each form a second time.
        parts = [frame._encode(namespace, elsewhere) for frame in self._frames]  # noqa: SLF001
        packets = [packet for part in parts for packet in part.packets]
        return Encoded(packets, b"".join([part.raw for part in parts]))


_NOTHING = Encoded((), b"")


class Recipient(Protocol):
    """A receiver of frames."""

    namespace: str
    #: The text that follows its offsets; ``None`` if it is sent no offsets.
    elsewhere: str | None

    @property
    def write(self) -> Callable[[Encoded], None]:
        """A function that sends a frame after all earlier ones; it never raises and never waits."""


def broadcast(frames: Sequence[Frame], recipients: Iterable[Recipient]) -> int:
    """Send all ``frames`` to each of ``recipients``; return the number of deliveries."""
    batches: dict[tuple[str, str | None], Encoded] = {}
    namespace: str | None = None
    elsewhere: str | None = None
    batch, count = _NOTHING, 0
    for recipient in recipients:
        # Nearly all recipients get the same bytes as the one before.
        if recipient.elsewhere != elsewhere or recipient.namespace != namespace:
            namespace, elsewhere = key = recipient.namespace, recipient.elsewhere
            known = batches.get(key)
            if known is None:
                known = batches[key] = Encoded.joined([frame.encoded(*key) for frame in frames])
            batch = known
        recipient.write(batch)
        count += 1
    return count * len(frames)
