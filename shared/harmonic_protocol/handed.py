"""What gateways hand one another: clients that go on elsewhere, and what participants show."""

from typing import Any

from pydantic import Field

from harmonic_protocol.internal import SavedRoom, SavedSession
from harmonic_protocol.schema import ServiceModel
from harmonic_protocol.values import Timestamp


class HandedState(ServiceModel):
    """What a participant shows of itself: since when, and over which connection it was said.

    Of two, the later one counts; of two at once, that of the greater connection's id.
    """

    user_id: str
    at: Timestamp
    sender: str
    state: dict[str, Any]


class PresenceAsked(ServiceModel):
    """A gateway asks for the states of participants, by universe: those since a time, or all."""

    since: dict[str, str]


class PresenceTold(ServiceModel):
    """The answer: states by universe; the ``rest`` of the universes is to be asked for again.

    A gateway that announces what may have been missed says the same.
    """

    states: dict[str, tuple[HandedState, ...]]
    rest: tuple[str, ...] = ()


class HandedRoom(ServiceModel):
    """A room of a client that goes on at another gateway: where it ``began`` in it.

    It was ``sent`` all up to that position, at which stands the record of ``sent_mark`` if that is
    known. It has received all up to ``acknowledged`` for certain, and up to ``pinged`` once it
    answers the ping that it was sent. ``shown`` is what its user shows of itself there.
    """

    began: SavedRoom
    sent: int
    sent_mark: int | None = None
    pinged: int | None = None
    acknowledged: int | None = None
    shown: HandedState | None = None


class HandedSearch(ServiceModel):
    """A session that may turn out to be the client's own, as it was found in the store."""

    subject: str
    sequence: int
    saved: SavedSession


class HandedClient(ServiceModel):
    """A client that goes on at another gateway: whose token was verified, and where it is.

    ``rates`` say for how many seconds what it sent still counts, by the kind of command.
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
