"""Bringing a client that dropped out back to exactly where it was.

Everything that may fail is done before its connection is accepted: finding the session, taking
the seats, fetching what was missed. What follows the acceptance happens in one go.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.delivery.frames import encode, encode_event, with_notes
from harmonic_gateway.delivery.history import History, LogTrimmed
from harmonic_gateway.delivery.places import Place, place, read_offset
from harmonic_gateway.identity.pids import Pids
from harmonic_gateway.limits.allowances import Guards
from harmonic_gateway.membership.membership import Entry, Membership
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.sessions import Found, Sessions
from harmonic_gateway.owners import Owners
from harmonic_gateway.sockets import Connection, Frame
from harmonic_protocol.catalogue import EVENTS
from harmonic_protocol.internal import JoinResult, LoggedRecord, LogPart, ResumeRoom, SavedRoom
from harmonic_protocol.log import MusicStored
from harmonic_protocol.messages.declaration import Audience, Delivery
from harmonic_protocol.messages.rooms import ParticipantJoined, RoomJoined, StateRecovered
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Refused
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import Clock, milliseconds
from harmonic_runtime.process.lifecycle import Tasks

#: Records that one return may have missed in one room; beyond, it begins anew.
MAX_MISSED_RECORDS = 20_000
#: Clients whose place is looked up at a time. All at once, thousands would keep owners so busy that
#: each question is given up, asked again, and answered in vain.
PREPARED_AT_ONCE = 32
#: So many may wait for that; others are asked to come later.
MAX_WAITING_CLIENTS = 512
#: Records encoded before others may go on: thousands in a row would be heard in every room.
RECORDS_IN_A_ROW = 100
#: Returns of one user per second at one gateway, and at once: each may have thousands of records
#: read and sent again, so that one who does nothing else would keep everybody waiting.
RETURNS_PER_SECOND, RETURNS_BURST = 1.0, 60


@dataclass(frozen=True, slots=True)
class ReturnedRoom:
    """A room that a client is back in, or the reason why not."""

    universe_id: str
    membership: Membership | None = None
    frames: Sequence[Frame] = ()
    recovered: bool = True
    refusal: Refused | None = None


@dataclass(slots=True)
class Return:
    """What a client that came back is due; ``pid`` is the one that it keeps, if all was found."""

    pid: str | None
    rooms: list[ReturnedRoom] = field(default_factory=list)

    @property
    def recovered(self) -> bool:
        """Whether nothing is missing."""
        return all(room.recovered for room in self.rooms)


class _Invalid(Exception):
    """What the client says of itself cannot be true."""


class Recovery:
    """Finds out where a client was, and takes it there."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        pids: Pids,
        owners: Owners,
        memberships: Memberships,
        rooms: Rooms,
        answers: Answers,
        gateways: Directory,
        history: History,
        window_s: float,
        tasks: Tasks,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._tasks = tasks
        self._sessions = sessions
        self._pids = pids
        self._owners = owners
        self._memberships = memberships
        self._rooms = rooms
        self._answers = answers
        self._gateways = gateways
        self._history = history
        self._window_ms = int(window_s * 1000)
        self._clock = clock
        self._turns = asyncio.Semaphore(PREPARED_AT_ONCE)
        self._waiting = 0
        metrics.gauge("waiting_clients", "clients whose place is to be looked up").set_function(
            lambda: self._waiting
        )
        self._returns = metrics.counter("returns", "clients that came back", ["outcome"])
        self._guards = Guards(
            RETURNS_PER_SECOND,
            RETURNS_BURST,
            metrics.counter("return_refusals", "returns put off: the user returns too often"),
        )
        self._missed = metrics.counter("missed_events", "events sent again to who missed them")

    @property
    def is_busy(self) -> bool:
        """Whether so many clients wait that no more should."""
        return self._waiting >= MAX_WAITING_CLIENTS

    async def prepare(self, session: Session, auth: object) -> Return | None:
        """Where a client comes back to; ``None`` for one that just comes.

        Clients take turns. Raise :class:`BusUnavailable` where it cannot be told now: the client
        will try again.
        """
        self._waiting += 1
        try:
            async with self._turns:
                if session.connection.closed:
                    raise BusUnavailable("nobody waits for it any more")
                return await self._find(session, auth)
        finally:
            self._waiting -= 1

    async def _find(self, session: Session, auth: object) -> Return | None:
        said: Mapping[Any, Any] = auth if isinstance(auth, Mapping) else {}
        try:
            if "pid" in said:
                return await self._by_pid(session, said["pid"], said.get("offset"))
            return await self._by_user(session)
        except _Invalid:
            self._returns.labels("invalid").inc()
            return None

    def complete(self, session: Session, returning: Return) -> None:
        """Send it all, and make the client a member again; nothing is awaited in between."""
        connection = session.connection
        for back in returning.rooms:
            refusal = back.refusal
            if back.membership is not None:
                entry = self._rooms.admit(back.membership, back.frames)
                refusal = back.membership.refusal if entry is Entry.UNSEATED else None
                if refusal is None and entry in (Entry.STALE, Entry.UNSEATED):
                    # It has to begin anew, and is brought up to date then.
                    connection.close()
            if refusal is not None:
                self._answers.evicted(connection, refusal, back.universe_id)
        outcome = "recovered" if returning.recovered else "anew"
        self._returns.labels(outcome).inc()
        memberships = list(self._memberships.of(connection).values())
        self._tasks.start(self._sessions.save(session, memberships), name="save session")

    def abandon(self, returning: Return) -> None:
        """The client is not connected in the end: it enters none of its rooms."""
        for back in returning.rooms:
            if back.membership is not None:
                self._rooms.refused(back.membership, frees_seat=False)

    def pinged(self, connection: Connection) -> None:
        """Record what the client will have received once it answers this ping."""
        self._memberships.mark_sent(connection)

    def ponged(self, connection: Connection) -> None:
        """Record that the client has everything that was sent before this ping."""
        self._memberships.acknowledge(connection)

    async def _by_pid(self, session: Session, pid: Any, offset: Any) -> Return | None:
        user_id = session.identity.user_id
        places = {} if offset is None else read_offset(offset)
        if places is None or not self._pids.is_good(pid, user_id):
            raise _Invalid
        found = await self._sessions.find(user_id, pid)
        if found is None:
            if places:
                raise _Invalid
            # It was in no room: there is nothing that it could have missed.
            return Return(pid)
        self._check(found, places)
        self._guard(user_id)
        session.saved_at = found.sequence
        return await self._bring_back(session, Return(pid), found, places)

    async def _by_user(self, session: Session) -> Return | None:
        alive = self._gateways.live() | {session.gateway_id}
        user_id = session.identity.user_id
        found = await self._sessions.orphan(user_id, alive, self._window_ms)
        if found is None:
            return None
        self._guard(user_id)
        if not await self._sessions.take(found):
            return None
        known = found.saved.acknowledged
        places = {universe_id: Place(position) for universe_id, position in known.items()}
        return await self._bring_back(session, Return(None), found, places)

    def _guard(self, user_id: str) -> None:
        if self._guards.take(user_id, self._clock.monotonic()):
            raise BusUnavailable("the user returns too often")

    def _check(self, found: Found, places: Mapping[str, Place]) -> None:
        for universe_id, claimed in places.items():
            room = found.saved.rooms.get(universe_id)
            if room is not None and claimed.position < room.position:
                raise _Invalid
        if places and found.saved.rooms and not places.keys() & found.saved.rooms.keys():
            raise _Invalid

    async def _bring_back(
        self, session: Session, returning: Return, found: Found, places: Mapping[str, Place]
    ) -> Return:
        saved = found.saved
        now_ms = milliseconds(self._clock.now())
        in_time = saved.ended_ms is None or now_ms - saved.ended_ms <= self._window_ms
        try:
            for universe_id, room in saved.rooms.items():
                at = places.get(universe_id, Place(room.position, room.frames))
                returning.rooms.append(
                    await self._room(
                        session, universe_id, room, saved.connection_id, at if in_time else None
                    )
                )
        except BaseException:
            self.abandon(returning)
            raise
        if not returning.recovered:
            returning.pid = None
        return returning

    async def _room(
        self,
        session: Session,
        universe_id: str,
        saved: SavedRoom,
        replaces: str,
        at: Place | None,
    ) -> ReturnedRoom:
        membership = self._memberships.enter(session.connection, universe_id)
        try:
            await self._rooms.follow(universe_id)
            self._memberships.ask(membership)
            request = ResumeRoom(
                universe_id=universe_id,
                mode=saved.mode,
                replaces=replaces,
                after_position=at.position if at else None,
            )
            reply = await self._owners.ask(
                universe_id, request.operation(), request, session.caller
            )
            if reply.error is not None:
                return self._refused(membership, reply.error)
            position = reply.position or 0
            result = JoinResult.model_validate(reply.result)
            if result.continued is False:
                # The user left the room, or was not allowed to see it for a time.
                at = None
            self._memberships.answered(membership, position, result.room.mode, at)
            missed = await self._missed_records(universe_id, at, position, result.missed)
            frames = await self._frames(result, at, position, missed)
        except BaseException:
            self._rooms.refused(membership, frees_seat=False)
            raise
        return ReturnedRoom(universe_id, membership, frames, recovered=missed is not None)

    def _refused(self, membership: Membership, refusal: Refused) -> ReturnedRoom:
        if refusal.reason is Reason.OFFSET:
            raise _Invalid
        if "retryAfterMs" in refusal.details:
            raise BusUnavailable(refusal.message)
        self._rooms.refused(membership, frees_seat=True)
        return ReturnedRoom(membership.universe_id, refusal=refusal)

    async def _missed_records(
        self, universe_id: str, at: Place | None, position: int, part: LogPart | None
    ) -> list[LoggedRecord] | None:
        """The records from a place up to a position; ``None`` if they are not to be had."""
        if at is None:
            return None
        after = at.position if at.frames is None else at.position - 1
        found: list[LoggedRecord] = []
        try:
            while True:
                if part is None:
                    part = await self._history.read(universe_id, after)
                found.extend(part.records)
                if part.records:
                    after = part.records[-1].position
                if after >= position or (part.complete and not part.records):
                    break
                if len(found) > MAX_MISSED_RECORDS:
                    return None
                part = None
        except LogTrimmed:
            return None
        return [record for record in found if at.position <= record.position <= position]

    async def _frames(
        self,
        result: JoinResult,
        at: Place | None,
        position: int,
        missed: list[LoggedRecord] | None,
    ) -> list[Frame]:
        joined = result.room
        to_seq = joined.seq
        again: list[Frame] = []
        from_seq = to_seq
        if at is not None and missed is not None:
            again, from_seq = await self._again(joined.universe_id, at, missed, to_seq)
        frames: list[Frame] = []
        if result.announcement is not None:
            frames.append(encode_event(result.announcement, ParticipantJoined.spec.name))
        back = joined.model_copy(update={"from_seq": from_seq})
        frames.append(encode_event(back, RoomJoined.spec.name))
        if result.current is not None:
            sets = result.current.events()
            frames.extend(encode_event(values, values.spec.name) for values in sets)
        frames.extend(again)
        recovered = StateRecovered(
            universe_id=joined.universe_id,
            recovered=missed is not None,
            missed=len(again),
            from_seq=from_seq,
            to_seq=to_seq,
        )
        last = encode_event(recovered, StateRecovered.spec.name)
        last.offset = place(joined.universe_id, position)
        frames.append(last)
        self._missed.inc(len(again))
        return frames

    async def _again(
        self, universe_id: str, at: Place, missed: Sequence[LoggedRecord], to_seq: int
    ) -> tuple[list[Frame], int]:
        """The events to be sent again, and the ``seq`` after which they come."""
        frames: list[Frame] = []
        first_seq: int | None = None
        for number, logged in enumerate(missed):
            if number % RECORDS_IN_A_ROW == 0:
                await asyncio.sleep(0)
            shown = [
                event
                for event in logged.record.events
                if event.name == MusicStored.name
                or (event.name in EVENTS and EVENTS[event.name].spec.audience is Audience.ROOM)
            ]
            known = (at.frames or len(shown)) if logged.position == at.position else 0
            for index, event in enumerate(shown, start=1):
                if index <= known:
                    continue
                first_seq = first_seq or event.data.get("seq")
                frame = await self._frame(event.name, event.data)
                if frame is not None:
                    whole = index == len(shown)
                    frame.offset = place(universe_id, logged.position, None if whole else index)
                    frames.append(frame)
        return frames, to_seq if first_seq is None else first_seq - 1

    async def _frame(self, name: str, data: dict[str, Any]) -> Frame | None:
        if name == MusicStored.name:
            music = MusicStored.model_validate(data)
            notes = await self._history.notes(music)
            return None if notes is None else with_notes(music, notes)
        if EVENTS[name].spec.delivery is not Delivery.REPLAYED:
            return None
        return encode(name, data)
