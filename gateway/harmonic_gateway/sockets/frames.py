"""Events as bytes: encoded once for each namespace, and written to every member as they are."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from socketio.packet import BINARY_EVENT, EVENT

from harmonic_gateway.sockets.compression import COMPRESSED_ABOVE_BYTES, Body, LargeText

#: The opcode of an unfragmented WebSocket frame (RFC 6455, section 5.2), and the bit that says
#: that it is compressed (RFC 7692, section 6).
_TEXT, _BINARY, _CLOSE, _PONG, _COMPRESSED = 0x81, 0x82, 0x88, 0x8A, 0x40
_SHORT_BYTES = 126
_MEDIUM_BYTES = 65536
#: Engine.IO's packet type for what Socket.IO says.
_MESSAGE = b"4"
#: Frames that are kept to be sent again are joined up to so many bytes: none is worth compressing.
MAX_JOINED_BYTES = COMPRESSED_ABOVE_BYTES * 3 // 4
#: Forms of one frame that are kept. Each client in several rooms has one of its own.
MAX_FORMS = 4


def _websocket_frame(opcode: int, payload: bytes) -> bytes:
    """A server's frame, which is not masked: the same bytes for every client."""
    size = len(payload)
    if size < _SHORT_BYTES:
        return bytes((opcode, size)) + payload
    if size < _MEDIUM_BYTES:
        return bytes((opcode, 126)) + size.to_bytes(2) + payload
    return bytes((opcode, 127)) + size.to_bytes(8) + payload


def close_frame(code: int) -> bytes:
    """The WebSocket frame that closes a connection."""
    return _websocket_frame(_CLOSE, code.to_bytes(2))


def pong_frame(data: bytes) -> bytes:
    """The WebSocket frame that answers a ping."""
    return _websocket_frame(_PONG, data)


class Encoded:
    """Engine.IO packets, at the same time as the WebSocket frames that carry them.

    ``parts`` are the events that were joined to be written at once, else itself. The other
    attributes are what :class:`Frame` says of an event.
    """

    __slots__ = (
        "_compressed",
        "_gzipped",
        "_large",
        "compressible",
        "droppable",
        "over_s",
        "packets",
        "parts",
        "raw",
        "supersedes",
    )

    def __init__(
        self,
        packets: Sequence[bytes | str],
        raw: bytes,
        *,
        large: LargeText | None = None,
        supersedes: str | None = None,
        droppable: bool = False,
        over_s: float | None = None,
    ) -> None:
        self.packets = packets
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
        """Packets in a row: text with its Engine.IO type, or an attachment's bytes."""
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
    def joined(cls, parts: Sequence["Encoded"]) -> "Encoded":
        """Several in a row."""
        if len(parts) == 1:
            return parts[0]
        packets = [packet for part in parts for packet in part.packets]
        whole = cls(packets, b"".join([part.raw for part in parts]))
        whole.parts = parts
        whole.compressible = any(part.compressible for part in parts)
        return whole

    @property
    def compressed(self) -> bytes:
        """The WebSocket frames for those who negotiated compression."""
        if self._compressed is None:
            self._compressed = self._compress()
        return self._compressed

    @property
    def gzipped(self) -> bytes | None:
        """The packet as the answer to a poll, if it is a large one."""
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

    ``offset`` is what a client that is to come back says about how far it had come, once it has
    this event: its last argument, for clients that know what it means.

    For clients that do not keep up: an event ``supersedes`` earlier ones for which the same is
    given, and need not wait for them; one that is ``droppable`` need not be sent at all, nor one
    whose moment is ``over_s``, by the clock of the event loop.
    """

    __slots__ = (
        "_attachments",
        "_body",
        "_encoded",
        "_name",
        "droppable",
        "offset",
        "over_s",
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
    ) -> None:
        self._name = name
        self._body = Body(data)
        self._attachments = attachments
        self._encoded: dict[tuple[str, str | None], Encoded] = {}
        self.offset = offset
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
        """What it holds, before it is encoded."""
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
    ) -> "Frame":
        """An event with one argument, given as JSON."""
        return cls(name, data, offset=offset, supersedes=supersedes, over_s=over_s)

    @classmethod
    def binary(cls, name: str, data: bytes, attachments: Sequence[bytes]) -> "Frame":
        """An event whose JSON has placeholders for ``attachments``."""
        return cls(name, data, attachments)

    def encoded(self, namespace: str, elsewhere: str | None = None) -> Encoded:
        """What members of a namespace are sent.

        With ``elsewhere``, the offset is sent along: that text, which says how far the member has
        come in other rooms, follows it.
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
        return Encoded.of(
            (text.decode(), *self._attachments),
            large=LargeText(head, body, tail) if len(text) > COMPRESSED_ABOVE_BYTES else None,
            supersedes=self.supersedes,
            droppable=self.droppable,
            over_s=self.over_s,
        )


class JoinedFrame(Frame):
    """Events in a row that are sent together, at most ``MAX_JOINED_BYTES`` of them."""

    __slots__ = ("_frames",)

    def __init__(self, frames: Sequence[Frame]) -> None:
        super().__init__("", b"")
        self._frames = frames

    @property
    def size_bytes(self) -> int:
        """What they hold, before they are encoded."""
        return sum(frame.size_bytes for frame in self._frames)

    def _encode(self, namespace: str, elsewhere: str | None) -> Encoded:
        # Encoded by themselves as well, they would take twice the memory.
        parts = [frame._encode(namespace, elsewhere) for frame in self._frames]  # noqa: SLF001
        packets = [packet for part in parts for packet in part.packets]
        return Encoded(packets, b"".join([part.raw for part in parts]))


_NOTHING = Encoded((), b"")


class Recipient(Protocol):
    """Whoever frames are sent to."""

    namespace: str
    #: What follows an offset for it: ``None`` if it is sent no offsets.
    elsewhere: str | None

    @property
    def write(self) -> Callable[[Encoded], None]:
        """Sends a frame, in the order of all that is sent; never raises, never waits."""


def broadcast(frames: Sequence[Frame], recipients: Iterable[Recipient]) -> int:
    """Send all ``frames`` to each of ``recipients``; how many deliveries these are."""
    batches: dict[tuple[str, str | None], Encoded] = {}
    namespace: str | None = None
    elsewhere: str | None = None
    batch, count = _NOTHING, 0
    for recipient in recipients:
        # Nearly all are sent the same as the one before.
        if recipient.elsewhere != elsewhere or recipient.namespace != namespace:
            namespace, elsewhere = key = recipient.namespace, recipient.elsewhere
            known = batches.get(key)
            if known is None:
                known = batches[key] = Encoded.joined([frame.encoded(*key) for frame in frames])
            batch = known
        recipient.write(batch)
        count += 1
    return count * len(frames)
