"""How a gateway takes a session over whose client tries a WebSocket here: a table, without I/O.

The handshake is answered (``OPEN``), and so is the client's probe (``PROBED``). When the client
says that it goes over, the session is ``REQUESTED`` from its gateway, which freezes it. Then its
seats are taken (``SEATING``), and in the turn in which the last one is there, it is ``MOVED``.

The session's own gateway is told of the probe together with the request for the session. A client
whose poll is not answered yet waits for that before it goes over: so where it does not go over
within a moment, its gateway is told at once, and ends the poll (``ANNOUNCED``). Of a client that
does not probe at once, its gateway is ``ASKED`` whether there is such a session that may try; if
so, its probe is awaited (``WAITING``).

An answered probe promises nothing: a session that does not exist, or that may not move, is not
handed over, and the WebSocket is closed.

Invariants: until it is ``MOVED``, the session belongs to its own gateway, which ends it as broken
if no confirmation comes. After that it belongs to this gateway. So if a client, a gateway or the
bus fails, exactly one of the two reports the session's end. This gateway sends the client nothing
before, and its own gateway nothing after it was frozen. If a step fails after the client's upgrade,
its WebSocket is closed, so that it reconnects; before, it stays with polling.
"""

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import NamedTuple


class Takeover(StrEnum):
    """How far it has come; ``MOVED`` and ``FAILED`` are ends."""

    OPEN = auto()
    ASKED = auto()
    WAITING = auto()
    PROBED = auto()
    ANNOUNCED = auto()
    REQUESTED = auto()
    SEATING = auto()
    MOVED = auto()
    FAILED = auto()


class TakeoverNews(StrEnum):
    """What happens."""

    # Of the session's own gateway: it allows the try, has no such session, or its client may not
    # try now; the session, or all that is left of one that was shut.
    ALLOWED = auto()
    UNKNOWN = auto()
    REFUSED = auto()
    HANDED = auto()
    LAST_WORDS = auto()
    # Of the client: its probe, its wish to go over, anything else; nothing for a moment.
    PROBE = auto()
    UPGRADE = auto()
    OTHER = auto()
    QUIET = auto()
    # All seats are taken.
    SEATED = auto()
    # At any time: the other gateway or an owner is not reached, the client takes too long, it went.
    LOST = auto()
    LATE = auto()
    GONE = auto()


class TakeoverDuty(StrEnum):
    """What is to be done."""

    # With the client.
    ANSWER_PROBE = auto()
    SEND_LAST_WORDS = auto()
    CLOSE = auto()
    # With the session's own gateway.
    TELL_PROBED = auto()
    TELL_TRY_FAILED = auto()
    TELL_NOT_TAKEN = auto()
    TELL_TAKEN_OVER = auto()
    # With the session.
    GIVE_SEATS_BACK = auto()
    GO_ON = auto()


class TakeoverStep(NamedTuple):
    """Where it stands after some news, and what is to be done, in order."""

    then: Takeover
    duties: tuple[TakeoverDuty, ...] = ()


def _fails(*duties: TakeoverDuty) -> dict[TakeoverNews, TakeoverStep]:
    """The step for any combination that is not listed."""
    return dict.fromkeys(TakeoverNews, TakeoverStep(Takeover.FAILED, duties))


def _end(state: Takeover) -> dict[TakeoverNews, TakeoverStep]:
    return dict.fromkeys(TakeoverNews, TakeoverStep(state))


_D = TakeoverDuty
_PROBE = TakeoverStep(Takeover.PROBED, (_D.ANSWER_PROBE,))

TABLE: Mapping[Takeover, Mapping[TakeoverNews, TakeoverStep]] = {
    Takeover.OPEN: {
        **_fails(_D.CLOSE),
        TakeoverNews.PROBE: _PROBE,
        TakeoverNews.QUIET: TakeoverStep(Takeover.ASKED),
    },
    Takeover.ASKED: {
        **_fails(_D.TELL_TRY_FAILED, _D.CLOSE),
        TakeoverNews.ALLOWED: TakeoverStep(Takeover.WAITING),
        TakeoverNews.UNKNOWN: TakeoverStep(Takeover.FAILED, (_D.CLOSE,)),
        TakeoverNews.REFUSED: TakeoverStep(Takeover.FAILED, (_D.CLOSE,)),
    },
    Takeover.WAITING: {
        **_fails(_D.TELL_TRY_FAILED, _D.CLOSE),
        TakeoverNews.PROBE: _PROBE,
    },
    Takeover.PROBED: {
        **_fails(_D.TELL_TRY_FAILED, _D.CLOSE),
        TakeoverNews.UPGRADE: TakeoverStep(Takeover.REQUESTED, (_D.TELL_PROBED,)),
        TakeoverNews.QUIET: TakeoverStep(Takeover.ANNOUNCED, (_D.TELL_PROBED,)),
    },
    Takeover.ANNOUNCED: {
        **_fails(_D.TELL_TRY_FAILED, _D.CLOSE),
        TakeoverNews.UPGRADE: TakeoverStep(Takeover.REQUESTED),
    },
    Takeover.REQUESTED: {
        **_fails(_D.TELL_NOT_TAKEN, _D.CLOSE),
        TakeoverNews.HANDED: TakeoverStep(Takeover.SEATING),
        # Its own gateway has reported the end already.
        TakeoverNews.LAST_WORDS: TakeoverStep(Takeover.FAILED, (_D.SEND_LAST_WORDS, _D.CLOSE)),
        TakeoverNews.UNKNOWN: TakeoverStep(Takeover.FAILED, (_D.CLOSE,)),
    },
    Takeover.SEATING: {
        **_fails(_D.GIVE_SEATS_BACK, _D.TELL_NOT_TAKEN, _D.CLOSE),
        TakeoverNews.SEATED: TakeoverStep(Takeover.MOVED, (_D.GO_ON, _D.TELL_TAKEN_OVER)),
    },
    Takeover.MOVED: _end(Takeover.MOVED),
    Takeover.FAILED: _end(Takeover.FAILED),
}


def proceed(state: Takeover, news: TakeoverNews) -> TakeoverStep:
    """The step that news lead to."""
    return TABLE[state][news]
