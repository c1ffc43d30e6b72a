"""Which earlier session a client goes on with, and from where in each log. Pure.

The invariants:

- A session goes on without its ``pid`` only if it is *broken*: its transport ended without a
  goodbye, or its gateway is gone, at most a window ago. A session that may be alive never does.
- Only a client with the same fingerprint takes a session over without its ``pid``.
- Replay begins where the client says that it is, else at the last place that it acknowledged.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harmonic_gateway.delivery.places import Place, read_offset
from harmonic_gateway.membership.saved import Found
from harmonic_protocol.internal import ConnectionChecked, SavedRoom, SavedSession
from harmonic_protocol.reasons import RecoveryReason


class InvalidClaim(Exception):
    """What the client says of itself cannot be true."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client says of its earlier session: ``pid`` and ``offset`` are not checked yet."""

    declines: bool = False
    says_pid: bool = False
    pid: object = None
    offset: object = None


def read_claim(auth: object, query: Mapping[str, str]) -> Claim:
    """A client's claim; ``recovery: 0`` means that it wants to begin anew whenever it comes."""
    said: Mapping[Any, Any] = auth if isinstance(auth, Mapping) else {}
    return Claim(
        declines=str(said.get("recovery", query.get("recovery"))) == "0",
        says_pid="pid" in said,
        pid=said.get("pid"),
        offset=said.get("offset"),
    )


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Go on with a broken session."""

    found: Found


@dataclass(frozen=True, slots=True)
class Ask:
    """Sessions that have not ended: ask their gateways whether their clients answer."""

    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class BeginAnew:
    """There is nothing to go on with."""

    reason: RecoveryReason


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a choice depends on besides the sessions.

    ``alive`` are the gateways that are; ``last_signs_ms`` says of those that are not when they
    were for the last time, where that is known. Times are Unix time.
    """

    alive: frozenset[str]
    last_signs_ms: Mapping[str, int]
    now_ms: int
    window_ms: int


def choose(
    sessions: Iterable[Found], fingerprint: str, around: Surroundings
) -> TakeOver | Ask | BeginAnew:
    """What a client without a ``pid`` goes on with, of its user's sessions."""
    broken: list[tuple[int, Found]] = []
    unended: list[Found] = []
    reason = RecoveryReason.NONE
    for found in sessions:
        saved = found.saved
        if saved.taken_over or not saved.rooms or saved.fingerprint not in (fingerprint, None):
            continue
        ended_ms = _ended_ms(saved, around)
        if ended_ms is None:
            unended.append(found)
        elif around.now_ms - ended_ms > around.window_ms:
            reason = reason if reason is RecoveryReason.GOODBYE else RecoveryReason.WINDOW
        elif saved.said_goodbye:
            reason = RecoveryReason.GOODBYE
        else:
            broken.append((ended_ms, found))
    if broken:
        return TakeOver(max(broken, key=lambda pair: pair[0])[1])
    return Ask(tuple(unended)) if unended else BeginAnew(reason)


def _ended_ms(saved: SavedSession, around: Surroundings) -> int | None:
    if saved.ended_ms is not None:
        return saved.ended_ms
    if saved.gateway_id in around.alive:
        return None
    return max(saved.saved_ms, around.last_signs_ms.get(saved.gateway_id, saved.saved_ms))


def said_places(claim: Claim) -> dict[str, Place]:
    """Where a client says that it is, by universe; nowhere if it has seen no event."""
    places = {} if claim.offset is None else read_offset(claim.offset)
    if places is None:
        raise InvalidClaim
    return places


def places_by_claim(saved: SavedSession, said: Mapping[str, Place]) -> dict[str, Place]:
    """Where the client of a session is in each room, as it says; else where it began."""
    for universe_id, claimed in said.items():
        room = saved.rooms.get(universe_id)
        if room is not None and claimed.position < room.position:
            raise InvalidClaim
    if said and saved.rooms and not said.keys() & saved.rooms.keys():
        raise InvalidClaim
    return {
        universe_id: said.get(universe_id, _start(room))
        for universe_id, room in saved.rooms.items()
    }


def places_by_heartbeat(saved: SavedSession) -> dict[str, Place]:
    """Where the client of a session was, at least, when it answered its last heartbeat."""
    return {
        universe_id: Place(acknowledged, mark=saved.marks.get(universe_id))
        if (acknowledged := saved.acknowledged.get(universe_id)) is not None
        and acknowledged > room.position
        else _start(room)
        for universe_id, room in saved.rooms.items()
    }


def with_acknowledged(saved: SavedSession, checked: ConnectionChecked) -> SavedSession:
    """A session with the places that its connection's gateway knows to be acknowledged."""
    older = {each: mark for each, mark in saved.marks.items() if each not in checked.acknowledged}
    newest = {**saved.acknowledged, **checked.acknowledged}
    return saved.model_copy(update={"acknowledged": newest, "marks": {**older, **checked.marks}})


def _start(room: SavedRoom) -> Place:
    """Where a session began in a room; a gateway of the version before saves marks as frames."""
    if room.mark is None:
        return Place.read(room.position, room.frames)
    return Place(room.position, room.frames, room.mark)


def is_in_time(saved: SavedSession, now_ms: int, window_ms: int) -> bool:
    """Whether what the client of a session missed may still be sent again."""
    return saved.ended_ms is None or now_ms - saved.ended_ms <= window_ms
