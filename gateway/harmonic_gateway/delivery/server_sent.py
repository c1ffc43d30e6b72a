"""Server-sent events as bytes (WHATWG HTML, section 9.2): frames for readers outside rooms."""

from collections.abc import Iterable

from harmonic_gateway.sockets import Frame

#: What a reader is sent where nothing happens, so that nobody between takes it for dead.
KEEP_ALIVE = b": keep-alive\n\n"


def server_sent(frames: Iterable[Frame]) -> bytes:
    """Events, each with its offset as the ``id``; JSON has no line breaks of its own."""
    return b"".join([_event(frame) for frame in frames])


def retry_after(pause_ms: int) -> bytes:
    """How long a reader is to wait before it connects again, in milliseconds."""
    return b"retry: %d\n\n" % pause_ms


def _event(frame: Frame) -> bytes:
    head = b"" if frame.offset is None else b"id: %b\n" % frame.offset.encode()
    return b"%bevent: %b\ndata: %b\n\n" % (head, frame.name.encode(), frame.data)
