"""The chapter on reconnecting: what each kind of client sees after each kind of loss."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from harmonic_protocol.export.tables import table


class Sight(Enum):
    """What a client sees when it has reconnected, in a word and in a sentence."""

    RECOVERED = (
        "recovered",
        "`recovery.outcome` is `recovered`: it is back in its rooms and is sent what it missed.",
    )
    BACK = (
        "back",
        (
            "As *recovered*; or as *pending*, where it is there again before the server has"
            " noticed the loss."
        ),
    )
    PENDING = (
        "pending",
        (
            "`recovery.outcome` is `pending`: its rooms and what it missed follow within a ping"
            " timeout and a second."
        ),
    )
    NEW = (
        "new",
        (
            "`recovery` is `new` with the reason `GOODBYE`: it joins its rooms itself. Others saw"
            " it leave at once."
        ),
    )
    OWN = (
        "each its own",
        (
            "Neither is given the other's rooms: the later one may be told `pending`, and nothing"
            " follows."
        ),
    )

    def __init__(self, word: str, meaning: str) -> None:
        self.word = word
        self.meaning = meaning


@dataclass(frozen=True, slots=True)
class Loss:
    """A way in which a client's connection ends, or nearly ends."""

    name: str
    meaning: str


LOSSES = (
    Loss("reload", "A page is reloaded; a program or an app ends in order and is started again."),
    Loss("tab closed", "The same, and the user opens another page within the window."),
    Loss("tab killed", "Its process ends without a goodbye, and another one is started."),
    Loss(
        "back-forward cache",
        "A page is left, and restored with its memory; programs have no pages, and are asked for"
        " what comes nearest: ending in order, and connecting anew.",
    ),
    Loss("laptop asleep", "It answers nothing for longer than a ping timeout, and wakes up."),
    Loss("gateway stopped", "Its gateway does nothing for 12 s, and then goes on."),
    Loss("gateway killed", "Its gateway's process is killed."),
    Loss(
        "Wi-Fi to mobile",
        "Its own side of the connection is gone, the gateway's is not, and it is there again within"
        " a second.",
    ),
    Loss("two devices", "Two of the same kind and user, both alive, each in a room of its own."),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """What a kind of client sees after a loss, and whether a test shows it or only the code."""

    sight: Sight
    by_test: bool = True


_R, _B, _P, _N, _O = (
    Cell(sight) for sight in (Sight.RECOVERED, Sight.BACK, Sight.PENDING, Sight.NEW, Sight.OWN)
)

#: By kind of client, in the order of the losses.
SIGHTS: Mapping[str, tuple[Cell, ...]] = {
    "socket.io-client 4.8.4": (_N, _N, _B, _R, _R, _R, _R, _R, _O),
    "socket.io-client 3.1.3": (_N, _N, _B, _N, _B, _B, _B, _P, _O),
    "python-socketio, asyncio": (_N, _N, _B, _N, _B, _B, _B, _P, _O),
    "python-socketio, synchronous": (_N, _N, _B, _N, _B, _B, _B, _P, _O),
    "HTTP polling only": (_B, _B, _B, _R, _R, _R, _R, _R, _O),
    "Swift and Java": (_N, _N, _B, _N, _B, _B, _B, _P, _O),
}

_RULES = (
    (
        "A client that reconnects after its transport ended resumes its session, at any gateway,"
        " within the server's window (two minutes, unless it is configured otherwise). It is sent"
        " `connect_success`, for each of its rooms `room_joined`, the current values, the events"
        " that it missed, in order and with `replayed: true`, and `state_recovered`. Presence is"
        " not sent again: the list in `room_joined` is current."
    ),
    (
        "The client is known by its `pid`, which the official JavaScript client keeps from 4.6 on"
        " and sends by itself, with the offset of the last event. Other clients send neither. They"
        " are given the rooms of the same user's most recent *broken* session, if `User-Agent` and"
        " `Origin` are the same. They are sent the events after the last heartbeat that the earlier"
        " connection answered, some of which they may have already."
    ),
    (
        "A session is broken if its transport ended without a goodbye. Goodbyes are a DISCONNECT"
        " packet of Socket.IO, a CLOSE packet of Engine.IO, a WebSocket that its client closes"
        " with 1001, and one that it closes with 1000 or without a code while it answers the"
        " server's pings. After a goodbye, a session is resumed only by its `pid`: a new page is a"
        " new session. A page that polls cannot say goodbye when it is left, nor can a process that"
        " is killed: another page of the same browser is given its rooms."
    ),
    (
        "An earlier connection that seems alive is pinged, and the client is told `pending`. If"
        " there is no answer, the client is given the rooms of that connection, unless it joins or"
        " leaves a room before."
    ),
    (
        "Leaving a room, or being removed from it, ends the session in that room, also for a"
        " client that is away. A user who is admitted again is sent the room's current state, and"
        " no earlier events. `recovery: 0` in `auth` or in the query declines all of this."
    ),
)


def chapter() -> Iterator[str]:
    """The chapter's blocks, without the types of ``recovery``, which are listed among the types."""
    yield "## Coming back"
    yield from _RULES
    yield table(
        ("Client", *(loss.name for loss in LOSSES)),
        ((client, *map(_shown, cells)) for client, cells in SIGHTS.items()),
    )
    yield "Each cell is shown by a test, except for those with an asterisk."
    yield table(("Column", "What happens"), ((loss.name, loss.meaning) for loss in LOSSES))
    yield table(("Cell", "What the client sees"), ((each.word, each.meaning) for each in Sight))


def _shown(cell: Cell) -> str:
    return cell.sight.word if cell.by_test else f"{cell.sight.word}*"
