"""Messages between gateways: clients that move to another gateway, and states of participants."""

from typing import Any

from pydantic import Field

from harmonic_protocol.internal import SavedRoom, SavedSession
from harmonic_protocol.schema import ServiceModel
from harmonic_protocol.values import Timestamp


class HandedState(ServiceModel):
    """A participant's state, the time since when it has it, and the connection that sent it.

    Of two states, the later one counts; at equal times, that of the greater connection id.
    """

    user_id: str
    at: Timestamp
    sender: str
    state: dict[str, Any]


class PresenceAsked(ServiceModel):
    """Ask for the states of participants, by universe: those since a time, or all."""

    since: dict[str, str]


class PresenceTold(ServiceModel):
    """The answer: states by universe; the ``rest`` of the universes must be asked for again.

    A gateway also sends it unasked, to announce states that may have been missed.
    """

    states: dict[str, tuple[HandedState, ...]]
    rest: tuple[str, ...] = ()


class HandedRoom(ServiceModel):
    """A room of a client that moves to another gateway: the position at which it ``began`` there.

    The client was ``sent`` everything up to that position; ``sent_mark`` is the mark of the record
    there, if known. It has certainly received everything up to ``acknowledged``, and up to
    ``pinged`` once it answers the latest ping. ``shown`` is its user's state there.
    """

    began: SavedRoom
    sent: int
    sent_mark: int | None = None
    pinged: int | None = None
    acknowledged: int | None = None
    shown: HandedState | None = None


class HandedSearch(ServiceModel):
    """A stored session that may turn out to be the client's own."""

    subject: str
    sequence: int
    saved: SavedSession


class HandedClient(ServiceModel):
    """A client that moves to another gateway: the user of its verified token, and its rooms.

    ``rates`` are, by kind of command, the seconds for which its earlier commands still count.
    """

    user_id: str
    username: str
    expires_at_s: int
    issued_at_s: float = 0.0
    jti: str | None = None
    fingerprint: str
    pid: str | None = None
    warned: bool = False
    connected_ago_s: float = 0.0
    saved_at: int | None = None
    is_saved: bool = False
    rates: dict[str, float] = Field(default_factory=dict)
    rooms: dict[str, HandedRoom] = Field(default_factory=dict)
    asked: list[HandedSearch] = Field(default_factory=list)
