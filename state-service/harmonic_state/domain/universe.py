"""The state of a universe: the sum of its log's events."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from typing import Any

from harmonic_protocol.log import BarRecorded, MusicRequested
from harmonic_protocol.messages.endless import EndlessPiece
from harmonic_protocol.messages.parameters import StoredParameters
from harmonic_protocol.messages.universes import UniverseSummary
from harmonic_protocol.messages.universes import UniverseView as PublicUniverse
from harmonic_protocol.value import value
from harmonic_protocol.values import Mode, Participant, Visibility

#: Participants that are made once for all rooms and versions of them: the latest ones.
MAX_KNOWN_PARTICIPANTS = 4096


@value
class Seat:
    """A connection in the room: its user, its gateway, and its mode.

    ``replaces`` is the earlier connection whose session it continues, if it continues one.
    """

    user_id: str
    username: str
    mode: Mode
    gateway_id: str
    replaces: str | None = None


@value
class Absence:
    """A connection that lost its transport: its user, and since when it has no seat."""

    user_id: str
    since: str


@value
class AppliedOperation:
    """A command that was carried out, kept to recognise a repetition.

    ``user_id`` and ``op_id`` are empty where only their hash was stored.
    """

    user_id: str
    op_id: str
    digest: str
    seq: int
    timestamp: str


@value
class Piece:
    """A composed piece as the log knows it: without its notes."""

    request_id: str
    user_id: str
    timestamp: str
    seed: int
    duration: float
    tempo: float
    key: str
    scale: str
    seq: int
    composer_version: int | None = None


@value
class EndlessState:
    """The endless piece that a universe plays: who started it, and its ``latest`` bar.

    ``empty_since`` is the time when the last participant left, while the room is empty.
    """

    stream_id: str
    user_id: str
    style: str | None
    seed: int
    started_at: str
    latest: BarRecorded | None = None
    empty_since: str | None = None


@value
class LastChange:
    """Who last changed a parameter set, and when."""

    user_id: str
    timestamp: str


@value
class LastAction:
    """The log's latest note for the audit log: its id and its time."""

    id: str
    timestamp: str


@dataclass(frozen=True)
class Universe:
    """A universe as of some position of its log.

    ``seq`` numbers the last frame that members saw. ``updated_at`` is the time of the last event;
    no later event has an earlier time. A deleted universe is a tombstone: it keeps its id.

    ``bans`` are the banned users, each with the time of the ban. None of them has a role.

    ``absences`` are the connections without a seat whose sessions may be continued in this room. An
    absence ends when its user may not see the universe, even for a moment.

    ``pieces`` are the latest, in their order. ``endless`` is the piece that it plays.
    ``last_action`` tells what the audit log must hold. Snapshots of earlier versions lack these
    three.

    ``operations`` are in the order in which they were applied, by ``operation_key``.
    ``operations_bytes`` is their size as stored with their texts, ``seats_bytes`` that of
    ``connections``.
    """

    id: str
    owner: str
    name: str
    visibility: Visibility
    public_mode: Mode
    max_participants: int
    created_at: str
    updated_at: str
    seq: int = 0
    deleted: bool = False
    members: Mapping[str, Mode] = field(default_factory=dict)
    bans: Mapping[str, str] = field(default_factory=dict)
    parameters: StoredParameters = field(default_factory=StoredParameters)
    last_changes: Mapping[str, LastChange] = field(default_factory=dict)
    connections: Mapping[str, Seat] = field(default_factory=dict)
    seats_bytes: int = 0
    absences: Mapping[str, Absence] = field(default_factory=dict)
    pending_music: Mapping[str, MusicRequested] = field(default_factory=dict)
    pieces: tuple[Piece, ...] = ()
    endless: EndlessState | None = None
    operations: Mapping[str, AppliedOperation] = field(default_factory=dict)
    operations_bytes: int = 0
    last_action: LastAction | None = None

    def later(self, **changes: Any) -> "Universe":
        """The universe with other values in some of its fields.

        It is ``dataclasses.replace`` in a tenth of the time: that one sets each field by itself.
        """
        if not changes.keys() <= _FIELDS:
            raise TypeError(f"no fields of a universe: {changes.keys() - _FIELDS}")
        universe = object.__new__(Universe)
        universe.__dict__.update(self.__dict__, **changes)
        if "connections" in changes:
            universe.__dict__.pop("_present", None)
        return universe

    @cached_property
    def _present(self) -> Mapping[str, Participant]:
        return _participants(self.connections.values())

    def participants(self, of: Collection[str] | None = None) -> Mapping[str, Participant]:
        """The participants by user id, in the order in which they joined, each in its highest mode.

        With ``of``, only these users.
        """
        if of is None:
            return self._present
        return _participants(seat for seat in self.connections.values() if seat.user_id in of)

    def public_view(self, *, viewer: str) -> PublicUniverse:
        """The universe as ``viewer`` may see it."""
        is_owner = viewer == self.owner
        return PublicUniverse(
            id=self.id,
            name=self.name,
            owner=self.owner,
            visibility=self.visibility,
            public_mode=self.public_mode,
            max_participants=self.max_participants,
            parameters=self.parameters,
            participants=len(self.participants()),
            created_at=self.created_at,
            updated_at=self.updated_at,
            seq=self.seq,
            members=dict(self.members) if is_owner else None,
            bans=dict(self.bans) if is_owner else None,
        )

    def public_piece(self) -> EndlessPiece | None:
        """The endless piece as the room sees it."""
        if self.endless is None:
            return None
        return EndlessPiece.model_construct(
            stream_id=self.endless.stream_id,
            user_id=self.endless.user_id,
            style=self.endless.style,
            seed=self.endless.seed,
            started_at=self.endless.started_at,
        )

    def summary(self) -> UniverseSummary:
        """The universe's entry in a listing."""
        return UniverseSummary(
            id=self.id,
            name=self.name,
            owner=self.owner,
            visibility=self.visibility,
            public_mode=self.public_mode,
            max_participants=self.max_participants,
            created_at=self.created_at,
        )


_FIELDS = frozenset(each.name for each in fields(Universe))


def _participants(seats: Iterable[Seat]) -> Mapping[str, Participant]:
    present: dict[str, Participant] = {}
    for seat in seats:
        known = present.get(seat.user_id)
        if known is None:
            present[seat.user_id] = _participant(seat.user_id, seat.username, seat.mode)
        elif known.mode == "view" and seat.mode == "edit":
            present[seat.user_id] = _participant(seat.user_id, known.username, "edit")
    return present


@lru_cache(maxsize=MAX_KNOWN_PARTICIPANTS)
def _participant(user_id: str, username: str, mode: Mode) -> Participant:
    return Participant(user_id=user_id, username=username, mode=mode)
