"""NATS messages and their wire form."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

#: The status line of a reply made by a server, as a header.
STATUS = "Status"
DESCRIPTION = "Description"
#: Holds the names of headers that came more than once, if any did.
REPEATED = "Repeated"
#: Where a message is stored: the broker says so of what it answers with, and republishes.
STORED_SUBJECT = "Nats-Subject"
STORED_SEQUENCE = "Nats-Sequence"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

_VERSION = "NATS/1.0"
#: Names of headers that were found to be fit, about so many: programs use the same few.
MAX_FIT_NAMES = 256
_fit_names: set[str] = set()
_BEGINNING = f"{_VERSION}\r\n"
#: A header as most are written.
_HEADER = re.compile(r"\r\n([^:\r\n]+): (\S(?:[^\r\n]*\S)?|)(?=\r\n)")
#: A value of such a header, of words. It can be read in one way only: nothing is tried twice.
_WORDS = "((?:[!-~]++(?: [!-~]++)*+)?+)"


class _Layout(NamedTuple):
    """The names of a block's headers in their order, and what reads the values of such a block."""

    names: tuple[str, ...]
    read: Callable[[str], re.Match[str] | None]


#: The latest layout of blocks by their number of lines: the same few messages come again and again.
_layouts: dict[int, _Layout] = {}
MAX_LAYOUTS = 32


class Message(NamedTuple):
    """What came in, at ``arrived_s`` of the monotonic clock if that is known.

    ``reply`` is empty where no answer is expected.
    """

    subject: str
    payload: bytes
    headers: Mapping[str, str]
    reply: str
    arrived_s: float = 0.0


#: Called for each message of a subscription, in order of arrival. It must not block.
Handler: TypeAlias = Callable[[Message], None]


def encode_headers(headers: Mapping[str, str]) -> bytes:
    """A header block; ``ValueError`` if a name or value would break out of its line."""
    block = "\r\n".join(map(": ".join, headers.items()))
    if block.count("\n") + block.count("\r") != 2 * (len(headers) - 1):
        raise ValueError("a header must not hold a line break")
    if not headers.keys() <= _fit_names:
        _check_names(headers)
    return f"{_VERSION}\r\n{block}\r\n\r\n".encode()


def _check_names(names: Iterable[str]) -> None:
    """Raise ``ValueError`` for a name that is none; the others are known to be fit from now on."""
    for name in names:
        if not name or ":" in name or " " in name:
            raise ValueError("a header's name must be a word without a colon")
    if len(_fit_names) < MAX_FIT_NAMES:
        _fit_names.update(names)


def decode_headers(block: bytes | None) -> Mapping[str, str]:
    """The headers of a message; the server's own status line becomes ``Status``.

    A name that comes more than once keeps its last value, and is told in ``Repeated``: the broker
    adds its own headers to those that a message was stored with, and looks at none of these. What
    is no UTF-8 becomes U+FFFD.
    """
    if block is None:
        return NO_HEADERS
    text, lines = block.decode(errors="replace"), block.count(b"\r\n")
    layout = _layouts.get(lines)
    if layout is not None:
        found = layout.read(text)
        if found is not None:
            return dict(zip(layout.names, found.groups(), strict=True))
    headers: dict[str, str] = dict(_HEADER.findall(text))
    # The line of the version, one a header, and the empty one at the end.
    if lines == len(headers) + 2 and text.startswith(_BEGINNING):
        if layout is not None or len(_layouts) < MAX_LAYOUTS:
            _layouts[lines] = _layout_of(tuple(headers))
        return headers
    return _read_lines(text)


@lru_cache(maxsize=MAX_LAYOUTS)
def _layout_of(names: tuple[str, ...]) -> _Layout:
    lines = "".join(rf"\r\n{re.escape(name)}: {_WORDS}" for name in names)
    return _Layout(names, re.compile(rf"{re.escape(_VERSION)}{lines}\r\n\r\n").fullmatch)


def _read_lines(text: str) -> Mapping[str, str]:
    """The headers of a block that is not as most are: a status, a name twice, odd lines."""
    first, *lines = text.split("\r\n")
    headers: dict[str, str] = {}
    if len(first) > len(_VERSION):
        status, _, description = first[len(_VERSION) + 1 :].partition(" ")
        headers[STATUS] = status
        if description:
            headers[DESCRIPTION] = description
    repeated: list[str] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            if name in headers:
                repeated.append(name)
            headers[name] = value.strip()
    if repeated:
        headers[REPEATED] = " ".join(repeated)
    return headers


def publication(
    subject: str, payload: bytes, headers: Mapping[str, str] | None, reply: str
) -> tuple[bytes, int]:
    """The protocol's bytes of a message, and its size as the server's ``max_payload`` counts it.

    ``ValueError`` if a subject or header could be read as something else.
    """
    both = subject + reply
    if not subject or " " in both or not both.isprintable():
        raise ValueError("a subject must be without white space, and not empty")
    if not headers:
        size = len(payload)
        line = f"PUB {subject} {reply} {size}\r\n" if reply else f"PUB {subject} {size}\r\n"
        return b"%b%b\r\n" % (line.encode(), payload), size
    block = encode_headers(headers)
    size = len(block) + len(payload)
    line = f"HPUB {subject} {reply} {len(block)} {size}\r\n"
    return b"%b%b%b\r\n" % (line.encode(), block, payload), size
