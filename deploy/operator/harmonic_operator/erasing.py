"""``harmonic export`` and ``erase``: what is stored of a user, in all universes.

No index tells which universes name a user, so all of them are asked. Each answer is what the
streams hold. So a run that was interrupted is completed by the next one, and a run that finds
nothing proves that nothing is left.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from harmonic_operator.auditing import note
from harmonic_operator.broker_time import broker_time
from harmonic_operator.connection import NotDone
from harmonic_operator.output import console, write_json
from harmonic_operator.rooms import answer_of
from harmonic_operator.steering import store_revocation
from harmonic_operator.streams import LOGS
from harmonic_protocol import subjects
from harmonic_protocol.intervening import (
    Bequest,
    EraseUser,
    ErasureDone,
    ForgetHistory,
    TraceUser,
    UserTraced,
)
from harmonic_protocol.messages.declaration import GLOBAL_RATES
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.directory import watch
from harmonic_runtime.bus.inspection import Inspection
from harmonic_runtime.bus.jetstream import ApiRefused, call
from harmonic_runtime.bus.routing import OwnerClient
from harmonic_runtime.bus.streams import STREAM_NOT_FOUND, Streams
from harmonic_runtime.process.clock import timestamp

T = TypeVar("T")

#: Universes that are asked at the same time.
AT_ONCE = 16
#: Streams that the version before does not have.
NEWER = frozenset({subjects.AUDIT_STREAM, subjects.LEASES_STREAM})
#: Attempts to discard a universe's history until it no longer names the user.
ATTEMPTS = 3
INFO_TIMEOUT_S = 10.0
#: Messages that are read in one call.
READ_AT_ONCE = 1000
PLACEHOLDER_BYTES = 8


@dataclass
class _Erased:
    """What was done to one universe, or why it failed."""

    universe: str
    placeholder: str = ""
    connections: int = 0
    owner: str | None = None
    deleted: bool = False
    failure: str | None = None

    def __str__(self) -> str:
        if self.failure is not None:
            return f"{self.universe}: not done: {self.failure}"
        done = [f"{self.universe}: the user is {self.placeholder}"]
        if self.connections:
            done.append(f"{self.connections} connections ended")
        if self.owner is not None and not self.deleted:
            done.append(f"owned by {self.owner}")
        if self.deleted:
            done.append("deleted")
        return ", ".join(done)


@dataclass(frozen=True)
class StoredPlace:
    """Where data of a user is stored under a digest of the id."""

    what: str
    stream: str
    subject: str


def places(user: str) -> Sequence[StoredPlace]:
    """Where data of a user may be stored, except for the revocation of its tokens."""
    audience = subjects.audience_of(user)
    return (
        StoredPlace("sessions", subjects.SESSIONS_STREAM, subjects.sessions_of(user)),
        StoredPlace("listings", subjects.INDEX_STREAM, subjects.index_of(audience)),
        StoredPlace("quota", subjects.OWNED_STREAM, subjects.owned(user)),
        *(
            StoredPlace(f"audit {what}", subjects.AUDIT_STREAM, subject)
            for what, subject in zip(("by", "of"), subjects.audit_of_user(user), strict=True)
        ),
        *(
            StoredPlace(f"limit {rate}", subjects.limit_stream(rate), subjects.limit(rate, user))
            for rate in GLOBAL_RATES
        ),
        StoredPlace("leases", subjects.LEASES_STREAM, subjects.leases_of(user)),
    )


async def _kept(bus: Bus, wanted: Sequence[StoredPlace]) -> Sequence[StoredPlace]:
    """The places in existing streams: the version before keeps no audit log, and no leases."""
    absent = {stream for stream in NEWER if await Inspection(bus).stream(stream) is None}
    return [place for place in wanted if place.stream not in absent]


def _revocation(user: str) -> StoredPlace:
    return StoredPlace("revocation", subjects.REVOCATIONS_STREAM, subjects.revoked_user(user))


async def export(bus: Bus, user: str) -> None:
    """Write everything that is stored of a user as one JSON document."""
    async with _owners(bus) as owners:
        traced = await of_all(
            await _universes(bus), lambda universe: _traced(owners, universe, user)
        )
    failed = [universe for universe, found in traced if isinstance(found, str)]
    if failed:
        raise NotDone(f"These universes could not be asked: {', '.join(failed)}.")
    stored = {}
    for place in (*await _kept(bus, places(user)), _revocation(user)):
        stored[place.what] = await stored_at(bus, place)
    write_json(
        {
            "user": user,
            "at": timestamp(await broker_time(bus)),
            "universes": {
                universe: found.to_wire()
                for universe, found in traced
                if isinstance(found, UserTraced) and found.names_user
            },
            "stored": stored,
        }
    )


async def erase(
    bus: Bus, user: str, *, bequest: Bequest, forget_revocation: bool, as_json: bool
) -> None:
    """Erase a user; raise :class:`NotDone` with what is left, if anything is."""
    streams = Streams(bus)
    # First, so that no new data of the user is stored meanwhile.
    await store_revocation(
        streams, subjects.revoked_user(user), (await broker_time(bus)).timestamp()
    )
    async with _owners(bus) as owners:
        done = await of_all(
            await _universes(bus), lambda universe: _erased(owners, universe, user, bequest)
        )
    wanted = [*await _kept(bus, places(user)), *([_revocation(user)] if forget_revocation else [])]
    removed = await purged(bus, wanted)
    universes = [_failed(universe, each) for universe, each in done if each is not None]
    left = [each for each in universes if each.failure is not None]
    if as_json:
        write_json(
            {
                "user": user,
                "universes": [vars(each) for each in universes],
                "purged": removed,
                "revoked": not forget_revocation,
            }
        )
    else:
        for each in universes:
            console.print(str(each))
        found = ", ".join(f"{count} {what}" for what, count in removed.items() if count)
        console.print(
            f"{len(universes)} of {len(done)} universes named {user}. Removed besides: "
            f"{found or 'nothing'}."
        )
        if not forget_revocation:
            console.print(
                "The revocation of the user's tokens is kept, under a digest of the id, until they"
                " have ended by HARMONIC_REVOCATIONS_KEPT_S; --forget-revocation removes it."
            )
    # The entry says that a user was erased, and not who.
    await note(bus, "erase")
    if left:
        raise NotDone(f"Not done in {len(left)} universes: run it again.")


async def purged(bus: Bus, wanted: Sequence[StoredPlace]) -> dict[str, int]:
    """Remove everything that is stored at these places; the number of subjects, by kind.

    Data that was under way, such as a session that just ended, may be stored after the removal: so
    it looks again. Raise :class:`NotDone` if new data keeps coming.
    """
    removed = dict.fromkeys((place.what for place in wanted), 0)
    for _ in range(ATTEMPTS):
        is_clean = True
        for place in wanted:
            if found := await _subjects(bus, place.stream, place.subject):
                await Streams(bus).purge(place.stream, place.subject)
                removed[place.what] += len(found)
                is_clean = False
        if is_clean:
            return removed
    raise NotDone("Something of the user is stored again and again: run it again.")


def _failed(universe: str, each: "_Erased | str") -> _Erased:
    return _Erased(universe, failure=each) if isinstance(each, str) else each


@asynccontextmanager
async def _owners(bus: Bus) -> AsyncIterator[OwnerClient]:
    async with watch(bus, "state") as replicas:
        yield OwnerClient(bus, replicas, "state")


async def of_all(
    universes: Sequence[str], work: Callable[[str], Awaitable[T]]
) -> list[tuple[str, T | str]]:
    """The result of the work for each universe, or a sentence on why it failed."""
    waiting = iter(universes)
    found: list[tuple[str, T | str]] = []

    async def work_off() -> None:
        for universe in waiting:
            try:
                found.append((universe, await work(universe)))
            except (BusUnavailable, NotDone) as error:
                found.append((universe, str(error)))
            except ValidationError:
                found.append((universe, "its owner answers what cannot be read"))

    await asyncio.gather(*(work_off() for _ in range(AT_ONCE)))
    return sorted(found, key=lambda each: each[0])


async def _erased(
    owners: OwnerClient, universe: str, user: str, bequest: Bequest
) -> _Erased | None:
    """Erase a user from a universe; ``None`` if its stored data does not name the user."""
    done: _Erased | None = None
    for _ in range(ATTEMPTS):
        if not await _is_named(owners, universe, user):
            return done
        done = done or _Erased(universe, f"erased-{secrets.token_hex(PLACEHOLDER_BYTES)}")
        asked = EraseUser(
            universe_id=universe, user_id=user, placeholder=done.placeholder, bequest=bequest
        )
        said = ErasureDone.model_validate(await answer_of(owners, asked))
        done.connections += said.connections
        done.owner = done.owner or said.owner
        done.deleted |= said.deleted
        await answer_of(owners, ForgetHistory(universe_id=universe))
    if await _is_named(owners, universe, user):
        raise NotDone("its history still names the user")
    return done


async def _traced(owners: OwnerClient, universe: str, user: str) -> UserTraced:
    """Everything in a universe's streams that names a user."""
    whole = await _part(owners, universe, user)
    events, after = list(whole.events), whole.next_after
    while after is not None:
        part = await _part(owners, universe, user, after)
        events += part.events
        after = part.next_after
    return whole.model_copy(update={"events": tuple(events), "next_after": None})


async def _is_named(owners: OwnerClient, universe: str, user: str) -> bool:
    """Whether anything in a universe's streams names a user."""
    part = await _part(owners, universe, user)
    while not part.names_user and part.next_after is not None:
        part = await _part(owners, universe, user, part.next_after)
    return part.names_user


async def _part(
    owners: OwnerClient, universe: str, user: str, after: int | None = None
) -> UserTraced:
    request = TraceUser(
        universe_id=universe,
        user_id=user,
        events_only=after is not None,
        after_position=after or 0,
    )
    return UserTraced.model_validate(await answer_of(owners, request))


async def _universes(bus: Bus) -> list[str]:
    """The ids of all universes that have a log or a snapshot, tombstones included."""
    found: set[str] = set()
    for stream in (*LOGS, subjects.SNAPSHOT_STREAM):
        found.update(each.rpartition(".")[2] for each in await _subjects(bus, stream, ">"))
    return sorted(found)


async def _subjects(bus: Bus, stream: str, matching: str) -> list[str]:
    """The subjects of a stream that have messages; none if the stream does not exist yet."""
    found: list[str] = []
    while True:
        asked = {"subjects_filter": matching, "offset": len(found)}
        try:
            info = await call(bus, f"STREAM.INFO.{stream}", asked, timeout_s=INFO_TIMEOUT_S)
        except ApiRefused as refused:
            if refused.code != STREAM_NOT_FOUND:
                raise
            return found
        part = info["state"].get("subjects") or {}
        found.extend(part)
        if not part or len(found) >= int(info.get("total", 0)):
            return found


async def stored_at(bus: Bus, place: StoredPlace) -> list[Any]:
    """All messages of a place, parsed as JSON if possible."""
    found: list[Any] = []
    sequence = 1
    while True:
        part = await Streams(bus).read(
            place.stream, place.subject, from_sequence=sequence, limit=READ_AT_ONCE
        )
        found.extend(_read(each.payload) for each in part)
        if len(part) < READ_AT_ONCE:
            return found
        sequence = part[-1].sequence + 1


def _read(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")
