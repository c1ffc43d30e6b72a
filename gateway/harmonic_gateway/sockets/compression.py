"""Text that is compressed once for all recipients, over WebSockets and in answers to polls.

Deflated data is a sequence of blocks. The part that all recipients share is compressed to its own
blocks. The few bytes around it, which differ, are stored without compression.
"""

import zlib

#: The size from which compression pays, by ``tests/load/compression.py``: a larger text shrinks to
#: a quarter or less, which saves several network packets. Frequent messages are far smaller.
COMPRESSED_ABOVE_BYTES = 4096
#: zlib's level: three times as fast as the default, for a tenth more bytes.
_LEVEL = 1
_GZIP = 16 + zlib.MAX_WBITS
#: Magic, deflate, no flags, no time, no hints, any system (RFC 1952, section 2.3).
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
#: An empty last block.
_LAST_BLOCK = b"\x03\x00"
#: The head of an empty stored block. Every receiver adds the remaining bytes (RFC 7692, section
#: 7.2.1).
_MESSAGE_END = b"\x00"


class Body:
    """The part of a large text that all recipients share."""

    __slots__ = ("_deflated", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._deflated: bytes | None = None

    @property
    def deflated(self) -> bytes:
        """Whole blocks without references to earlier data."""
        if self._deflated is None:
            deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
            self._deflated = deflate.compress(self.data) + deflate.flush(zlib.Z_FULL_FLUSH)
        return self._deflated


class LargeText:
    """A large text, compressed for each transport on demand."""

    __slots__ = ("_body", "_head", "_tail")

    def __init__(self, head: bytes, body: Body, tail: bytes) -> None:
        self._head = head
        self._body = body
        self._tail = tail

    def message(self) -> bytes:
        """The payload of a compressed WebSocket message."""
        return self._blocks() + _MESSAGE_END

    def gzipped(self) -> bytes:
        """The text in gzip's format."""
        parts = (self._head, self._body.data, self._tail)
        checksum = size = 0
        for part in parts:
            checksum = zlib.crc32(part, checksum)
            size += len(part)
        end = checksum.to_bytes(4, "little") + size.to_bytes(4, "little")
        return b"".join((_GZIP_HEAD, self._blocks(), _LAST_BLOCK, end))

    def _blocks(self) -> bytes:
        return b"".join((_stored(self._head), self._body.deflated, _stored(self._tail)))


def gzip(data: bytes) -> bytes:
    """Data in gzip's format, for one recipient."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return compressor.compress(data) + compressor.flush()


def _stored(data: bytes) -> bytes:
    """A block that is not compressed (RFC 1951, section 3.2.4)."""
    size = len(data)
    return b"\x00" + size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little") + data
