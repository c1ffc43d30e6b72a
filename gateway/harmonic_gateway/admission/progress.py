"""The states of a client from its CONNECT to the answer: a table, without I/O.

The token is verified (``VERIFYING``), the connection counted among its user's (``COUNTING``), and
the client's earlier session found (``RECOVERING``). Each takes time, in which the token may end and
the client may go. So when all is there, the driver asks once more, in the turn of the loop in which
it answers (``DECIDING``).

Invariants: no client is admitted whose token has ended or that has gone before the answer. What was
taken for a client that is not admitted, its connection's count and its seats, is given back exactly
once, even if it is taken after the refusal.
"""

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import NamedTuple


class Progress(StrEnum):
    """How far a client has come; ``PRESENT`` and the three after it are ends."""

    VERIFYING = auto()
    COUNTING = auto()
    RECOVERING = auto()
    DECIDING = auto()
    ADMITTED = auto()
    PRESENT = auto()
    REFUSED = auto()
    TURNED_AWAY = auto()
    ABANDONED = auto()


class News(StrEnum):
    """What may happen meanwhile."""

    # What the step under way led to. LATER: it cannot be told now. FAILED: the step was cut short.
    GOOD = auto()
    BAD = auto()
    LATER = auto()
    COUNTED = auto()
    RECOVERED = auto()
    FAILED = auto()
    # At any time.
    TOKEN_ENDED = auto()
    GONE = auto()
    # CONNECT was answered.
    CONNECTED = auto()


class Duty(StrEnum):
    """What is to be done next."""

    COUNT = auto()
    RECOVER = auto()
    ASK_AGAIN = auto()
    UNCOUNT = auto()
    GIVE_BACK = auto()


class Turn(NamedTuple):
    """The client's state after the news, and what is to be done, in this order."""

    progress: Progress
    duties: tuple[Duty, ...] = ()


def _row(progress: Progress, **news: Turn) -> dict[News, Turn]:
    """A row of the table. News that cannot come in this state change nothing."""
    return {**dict.fromkeys(News, Turn(progress)), **{News[name]: to for name, to in news.items()}}


def _over(progress: Progress) -> dict[News, Turn]:
    """The row of a client that is not admitted: what is taken from now on is given back at once."""
    give_back = Turn(progress, (Duty.GIVE_BACK,))
    return _row(
        progress,
        COUNTED=Turn(progress, (Duty.UNCOUNT,)),
        RECOVERED=give_back,
        LATER=give_back,
        FAILED=give_back,
    )


TABLE: Mapping[Progress, Mapping[News, Turn]] = {
    Progress.VERIFYING: _row(
        Progress.VERIFYING,
        GOOD=Turn(Progress.COUNTING, (Duty.COUNT,)),
        BAD=Turn(Progress.REFUSED),
        LATER=Turn(Progress.TURNED_AWAY),
        FAILED=Turn(Progress.ABANDONED),
        GONE=Turn(Progress.ABANDONED),
    ),
    Progress.COUNTING: _row(
        Progress.COUNTING,
        COUNTED=Turn(Progress.RECOVERING, (Duty.RECOVER,)),
        BAD=Turn(Progress.REFUSED),
        FAILED=Turn(Progress.ABANDONED),
        TOKEN_ENDED=Turn(Progress.REFUSED),
        GONE=Turn(Progress.ABANDONED),
    ),
    Progress.RECOVERING: _row(
        Progress.RECOVERING,
        RECOVERED=Turn(Progress.DECIDING, (Duty.ASK_AGAIN,)),
        LATER=Turn(Progress.TURNED_AWAY, (Duty.UNCOUNT, Duty.GIVE_BACK)),
        FAILED=Turn(Progress.ABANDONED, (Duty.UNCOUNT, Duty.GIVE_BACK)),
        TOKEN_ENDED=Turn(Progress.REFUSED, (Duty.UNCOUNT,)),
        GONE=Turn(Progress.ABANDONED, (Duty.UNCOUNT,)),
    ),
    Progress.DECIDING: _row(
        Progress.DECIDING,
        GOOD=Turn(Progress.ADMITTED),
        TOKEN_ENDED=Turn(Progress.REFUSED, (Duty.UNCOUNT, Duty.GIVE_BACK)),
        GONE=Turn(Progress.ABANDONED, (Duty.UNCOUNT, Duty.GIVE_BACK)),
    ),
    Progress.ADMITTED: _row(
        Progress.ADMITTED,
        CONNECTED=Turn(Progress.PRESENT),
        GONE=Turn(Progress.ABANDONED, (Duty.UNCOUNT, Duty.GIVE_BACK)),
    ),
    Progress.PRESENT: _row(Progress.PRESENT),
    Progress.REFUSED: _over(Progress.REFUSED),
    Progress.TURNED_AWAY: _over(Progress.TURNED_AWAY),
    Progress.ABANDONED: _over(Progress.ABANDONED),
}


def proceed(progress: Progress, news: News) -> Turn:
    """The turn that news cause in a state."""
    return TABLE[progress][news]
