"""A universe with its owner and two gateways, without I/O: what happens is one call each.

The owner decides by the state service's domain. The gateways consist of the product's chain,
memberships, notices and departures. Between them lies what has not arrived yet: requests, replies
and republished records. A :class:`World` checks what it does as it does it:

- a connection is sent nothing that it may not see, and nothing while it has no seat;
- it is sent every record once, in order, from its snapshot on;
- whoever is present has a seat, and may do what the seat allows, as of what the gateway knows;
- a user has one seat in each session: the earlier connection's seat ends as it is taken over.
"""

import asyncio
import sys
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar, cast

from harmonic_gateway.delivery.chain import Chain, Deliver, FetchRecords, Heard, Pause
from harmonic_gateway.delivery.frames import RecordDelivery
from harmonic_gateway.membership.departure import Departure, Release, Save
from harmonic_gateway.membership.local_room import LocalRoom
from harmonic_gateway.membership.membership import Entry, Membership, Presence
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.notices import Notices
from harmonic_gateway.sockets import Connection, Frame
from harmonic_protocol.catalogue import EVENTS
from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import CloseConnection, ReleaseGateway, ResumeRoom
from harmonic_protocol.log import NOTICES, UniverseCreated
from harmonic_protocol.messages.declaration import Audience
from harmonic_protocol.messages.parameters import PHYSICS
from harmonic_protocol.messages.rooms import JoinRoom, LeaveRoom
from harmonic_protocol.messages.sets import UpdateSet
from harmonic_protocol.messages.universes import (
    BanUser,
    DeleteUniverse,
    RemoveMember,
    RemoveParticipant,
    SetMember,
    UnbanUser,
    UpdateUniverse,
)
from harmonic_protocol.refusals import Refused
from harmonic_protocol.values import Mode
from harmonic_state.domain.decide import decide
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.permissions import allowed_mode
from harmonic_state.domain.presence import DecisionInputs
from harmonic_state.domain.presence import continues as is_continued
from harmonic_state.domain.universe import Universe
from harmonic_state.domain.universe_requests import UniverseRequest

T = TypeVar("T")

U = "u"
AT = "2024-03-21T10:30:00.000Z"
MOMENT = DecisionInputs(AT, 0)
GRACE_S = 10.0
OWNER = Caller("owner", "owner", "owner1", "elsewhere")


class Client:
    """A connection, as far as memberships know it. ``gateway`` is where it is."""

    world: ClassVar["World"]

    def __init__(self, name: str, gateway: str) -> None:
        self.id = name
        self.user = name[:-1]
        self.gateway = gateway
        self.namespace = "/ws"
        # It tells no offsets: what these say of other rooms is no matter of the model.
        self.elsewhere = None
        self.session = self.identity = self
        self.user_id = self.user
        self.replaced = False
        self.caller = Caller(self.user, self.user, name, gateway)

    def write(self, _: object) -> None:
        raise AssertionError("the model sends by position")

    def send(self, _: object) -> None:
        assert self.id not in self.world.closed, f"{self.id} is gone, and told its role"

    def close(self) -> None:
        self.world.disconnect(self.id, grace_s=GRACE_S)


CLIENTS = {
    name: Client(name, gateway)
    for name, gateway in (("ann1", "g1"), ("ann2", "g2"), ("bob1", "g1"), ("bob2", "g1"))
}


class Entered(NamedTuple):
    """One append: what a gateway makes of it, the universe after it, and its content in short."""

    heard: Heard
    after: Universe
    label: str


class _Owner:
    """The state service's decisions. Equal universes are one object, and are decided about once.

    Two that differ in the numbers of their frames alone are equal here: no number is looked at.
    Requests are compared by identity: each is made once, and kept.
    """

    def __init__(self) -> None:
        self._universes: dict[object, Universe] = {}
        self._decisions: dict[object, tuple[tuple[LogEvent, ...], Universe] | Refused] = {}

    def known(self, universe: Universe) -> Universe:
        key = (
            tuple((name, seat.mode, seat.replaces) for name, seat in universe.connections.items()),
            tuple(universe.absences),
            tuple(sorted(universe.members.items())),
            tuple(universe.bans),
            (universe.visibility, universe.deleted),
        )
        return self._universes.setdefault(key, universe)

    def decide(
        self, universe: Universe, request: UniverseRequest, by: Caller
    ) -> tuple[tuple[LogEvent, ...], Universe] | Refused:
        key = (id(universe), id(request), by.connection_id)
        if key not in self._decisions:
            decision = decide(universe, request, by, MOMENT)
            if isinstance(decision, Refused):
                self._decisions[key] = decision
            else:
                after = fold(universe, decision.events)
                assert after is not None
                self._decisions[key] = (decision.events, self.known(after))
        return self._decisions[key]


_OWNER = _Owner()


@dataclass(frozen=True)
class Replied:
    """An owner's reply that has not arrived yet."""

    refusal: Refused | None
    position: int
    mode: Mode = "view"
    continued: bool | None = None


Kind = Literal["join", "leave", "resume", "rejoin"]


@dataclass
class Pending:
    """A request of a connection, and how far it has come."""

    kind: Kind
    request: UniverseRequest
    membership: Membership | None
    reply: Replied | None = None
    is_saved: bool = False
    frees_seat: bool = True


@dataclass
class Gateway:
    """What one gateway knows, and what of the log is still on its way to it."""

    memberships: Memberships
    chain: Chain | None = None
    has_lost: bool = False
    sent_from: int = 0
    """the position up to which records were republished to it, or lost on the way"""


class _Answers:
    """Notes who was told that it is out."""

    def evicted(self, connection: Any, refusal: Refused, universe_id: str) -> None:
        assert universe_id == U
        Client.world.tell(connection.id, refusal)


class _Sessions:
    async def save(self, *_: object) -> None:
        """Nothing is kept in the model."""


class _Tasks:
    def start(self, work: Coroutine[Any, Any, object], *, name: str) -> None:
        assert name == "save session"
        work.close()


@dataclass
class World:
    """All of it. ``last`` is the position that each connection has come to, if it is a member."""

    log: list[Entered]
    gateways: dict[str, Gateway]
    pending: dict[tuple[str, bool], Pending] = field(default_factory=dict)
    closed: dict[str, Departure | None] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    last: dict[str, int] = field(default_factory=dict)
    rejoined: dict[str, int] = field(default_factory=dict)
    """up to where members were without a seat for a time, allowed to see the universe all along"""
    told: dict[str, Refused] = field(default_factory=dict)
    owned: set[str] = field(default_factory=set)

    @classmethod
    def new(cls, visibility: Literal["public", "private"]) -> "World":
        created = UniverseCreated(
            universe_id=U,
            owner="owner",
            title="A universe",
            visibility=visibility,
            public_mode="edit",
            max_participants=10,
            timestamp=AT,
        )
        world = cls([], {name: Gateway(Memberships()) for name in ("g1", "g2")})
        first = fold(None, [created])
        assert first is not None
        world.append((created,), _OWNER.known(first))
        for user in ("ann", "bob") if visibility == "private" else ("ann",):
            world.owner_asks(set_member(user, "edit"))
        assert world.ask(join_room("edit"), OWNER) is None
        return world

    # The owner.

    @property
    def universe(self) -> Universe:
        return self.log[-1].after

    @property
    def end(self) -> int:
        return len(self.log)

    def at(self, position: int) -> Universe:
        return self.log[position - 1].after

    def append(self, events: Iterable[LogEvent], after: Universe) -> None:
        position = len(self.log) + 1
        notices = [event for event in events if getattr(type(event), "name", "") in NOTICES]
        shown = [event for event in events if _is_shown(event)]
        frames = [as_frame(position)] if shown else []
        delivery = RecordDelivery(cast("Any", frames), cast("Any", notices))
        label = f"{len(frames)} {notices}"
        self.log.append(Entered(Heard(position, position - 1, delivery), after, label))

    def ask(self, request: UniverseRequest, by: Caller) -> Refused | None:
        """Have the owner decide, and store what it decides."""
        decision = _OWNER.decide(self.universe, request, by)
        if isinstance(decision, Refused):
            return decision
        events, after = decision
        if events:
            self.append(events, after)
        return None

    def owner_asks(self, request: UniverseRequest) -> None:
        """The universe's owner changes something; it may not be possible now."""
        self.ask(request, OWNER)

    # Clients.

    def begin(self, name: str, kind: Kind, request: UniverseRequest) -> None:
        """A request of a client, or one on its behalf."""
        self.used.add(name)
        client = CLIENTS[name]
        pending = Pending(kind, request, None)
        if kind != "leave":
            gateway = self._gateway(name)
            memberships = gateway.memberships
            known = memberships.find(name, U)
            pending.frees_seat = known is None or not known.may_hold_seat
            pending.membership = memberships.enter(as_connection(client), U)
            if gateway.chain is None:
                gateway.chain, gateway.sent_from, gateway.has_lost = Chain(), self.end, False
            memberships.ask(pending.membership)
        self.pending[name, kind == "rejoin"] = pending

    def step(self, name: str, *, rejoin: bool = False) -> None:
        """The request of a connection comes one step further."""
        self._gateway(name)
        pending = self.pending[name, rejoin]
        if pending.reply is None:
            self._decide(name, pending)
        elif pending.kind == "leave":
            del self.pending[name, rejoin]
            if pending.reply.refusal is None:
                gateway = self._gateway(name)
                gateway.memberships.unseat(U, name, pending.reply.position, None)
                self.last.pop(name, None)
                self._tidy(gateway)
        elif not pending.is_saved:
            self._answered(name, pending)
        else:
            self._admit(name, pending)

    def _decide(self, name: str, pending: Pending) -> None:
        client = CLIENTS[name]
        refusal = self.ask(pending.request, client.caller)
        seat = self.universe.connections.get(name)
        continued = None
        if isinstance(pending.request, ResumeRoom) and refusal is None:
            continued = is_continued(self.universe, pending.request, client.caller)
        mode = seat.mode if seat else "view"
        pending.reply = Replied(refusal, self.end, mode, continued)

    def _answered(self, name: str, pending: Pending) -> None:
        memberships = self._gateway(name).memberships
        reply, membership = pending.reply, pending.membership
        assert reply is not None
        assert membership is not None
        if reply.refusal is not None:
            is_told = membership.rejoining or pending.kind == "join"
            frees_seat = pending.kind == "rejoin" or pending.frees_seat
            _, due = memberships.refused(membership, frees_seat=frees_seat)
            for position in due:
                self._send(name, cast("int", position))
            self._finish(name, pending)
            if is_told and membership.stage is Presence.GONE:
                self.tell(name, reply.refusal)
            return
        if membership.rejoining and (pending.kind == "join" or reply.continued is False):
            memberships.begin_anew(membership)
        is_kept = pending.kind == "rejoin" and membership.keeps_place
        continued = is_kept and reply.continued is True
        memberships.answered(membership, reply.position, reply.mode, continued=continued)
        pending.is_saved = True
        if pending.kind == "rejoin":
            self._admit(name, pending)

    def _admit(self, name: str, pending: Pending) -> None:
        gateway, membership = self._gateway(name), pending.membership
        assert membership is not None
        assert pending.reply is not None
        kept, at = membership.keeps_place, pending.reply.position
        is_silent = pending.kind == "rejoin" and (kept or at < membership.as_of)
        greeting = [] if is_silent else [as_frame(-at)]
        entry, due = gateway.memberships.admit(membership, at, greeting)
        match entry:
            case Entry.ADMITTED | Entry.RENEWED:
                if pending.kind == "rejoin" and kept:
                    self.rejoined[name] = at
                self.told.pop(name, None)
                for frame in due:
                    self._send(name, cast("int", frame))
                self._follow(gateway)
            case Entry.UNSEATED | Entry.STALE:
                self._unseated(name, pending, membership)
            case Entry.OVERTAKEN if pending.kind == "join":
                self.begin(name, "join", resume_room(name))
            case Entry.OVERTAKEN:
                pass
            case Entry.GONE:
                assert membership.is_over
                departure = self.closed[name]
                gateway.memberships.ask(membership)
                if departure is None:
                    self.closed[name] = departure = Departure([membership], grace_s=0.0)
                    departure.saved()
                departure.seated(membership)
        self._finish(name, pending)

    def _unseated(self, name: str, pending: Pending, membership: Membership) -> None:
        if membership.refusal is not None:
            if pending.kind == "join" and membership.stage is Presence.GONE:
                # Its request is answered so.
                self.tell(name, membership.refusal)
        elif pending.kind == "join":
            self.begin(name, "join", resume_room(name))
        elif membership.stage is Presence.GONE:
            CLIENTS[name].close()

    def _finish(self, name: str, pending: Pending) -> None:
        if self.pending.get((name, pending.kind == "rejoin")) is pending:
            del self.pending[name, pending.kind == "rejoin"]
        self._tidy(self._gateway(name))

    def disconnect(self, name: str, *, grace_s: float) -> None:
        """The connection is over: for good, or without a word and with a grace."""
        if name in self.closed:
            return
        gateway = self._gateway(name)
        memberships = gateway.memberships.depart(as_connection(CLIENTS[name]))
        self.closed[name] = Departure(memberships, grace_s=grace_s)
        self.last.pop(name, None)
        leave = self.pending.get((name, False))
        if leave is not None and leave.kind == "leave":
            del self.pending[name, False]
        self._tidy(gateway)

    def depart(self, name: str) -> None:
        """Do the next thing that a departure asks for."""
        memberships = self._gateway(name).memberships
        departure = self.closed[name]
        assert departure is not None
        step = departure.next()
        match step:
            case Save():
                departure.saved()
            case Release(membership=membership):
                departure.asked(membership)
                self.ask(close_connection(), CLIENTS[name].caller)
                memberships.released(membership)
            case None:
                self.closed[name] = None
                memberships.forget(as_connection(CLIENTS[name]))
            case _:
                departure.waited()

    # Gateways.

    def hear(self, name: str, *, is_lost: bool = False) -> None:
        """The next record reaches a gateway, or is lost on its way to it."""
        gateway = self.own(name)
        assert gateway.chain is not None
        heard = self.log[gateway.sent_from].heard
        gateway.sent_from += 1
        gateway.has_lost = is_lost or gateway.has_lost
        if not is_lost:
            gateway.chain.hear(heard)
            self._go_on(gateway)

    def announce(self, name: str) -> None:
        """A gateway is told where the log ends, and what it does not hear in time is overdue."""
        gateway = self.own(name)
        assert gateway.chain is not None
        gateway.has_lost = False
        gateway.chain.expect(self.end)
        self._go_on(gateway)
        if gateway.chain is not None:
            gateway.chain.timed_out()
            self._go_on(gateway)

    def tell(self, name: str, refusal: Refused) -> None:
        """A client is told that it is out of the room."""
        self.last.pop(name, None)
        self.told[name] = refusal

    def _gateway(self, name: str) -> Gateway:
        return self.own(CLIENTS[name].gateway)

    def _follow(self, gateway: Gateway) -> None:
        room, chain = gateway.memberships.room(U), gateway.chain
        assert room is not None
        assert chain is not None
        if room.position is None:
            start = chain.begin(gateway.memberships.first_cursor(U, sys.maxsize))
            gateway.memberships.begin(U, start)
            self._go_on(gateway)

    def _go_on(self, gateway: Gateway) -> None:
        chain = gateway.chain
        assert chain is not None
        while (step := chain.next()) is not None:
            match step:
                case Deliver(heard=heard):
                    self._deliver(gateway, heard)
                case FetchRecords(after_position=after):
                    chain.part_read([each.heard for each in self.log[after:]], complete=True)
                case Pause():
                    chain.paused()
                case _:
                    pass

    def _deliver(self, gateway: Gateway, heard: Heard) -> None:
        if heard.delivery.notices:
            self._act_upon(gateway, heard)
        frames = cast("list[Frame]", heard.delivery.frames)
        for membership in list(gateway.memberships.deliver(U, heard.position, frames)):
            self._send(membership.connection.id, heard.position)
        for membership, joined in gateway.memberships.due(U):
            for frame in joined:
                self._send(membership.connection.id, cast("int", frame))
        self._tidy(gateway)

    def _act_upon(self, gateway: Gateway, heard: Heard) -> None:
        notices = Notices(
            memberships=gateway.memberships,
            unseated=asyncio.Queue(),
            answers=cast("Any", _Answers()),
            sessions=cast("Any", _Sessions()),
            tasks=cast("Any", _Tasks()),
        )
        for notice in heard.delivery.notices:
            notices.act_upon(U, heard.position, notice)

    def _tidy(self, gateway: Gateway) -> None:
        if gateway.memberships.discard(U) and gateway.chain is not None:
            gateway.chain.close()
            gateway.chain = None

    def _send(self, name: str, position: int) -> None:
        """Send a record's frames, or how the room is as of a position: its negative."""
        assert name not in self.closed, f"{name} is gone, and is sent {position}"
        if position < 0:
            assert self.last.get(name, 0) <= -position, f"{name} is shown an older room"
            assert name in self.at(-position).connections, f"{name} is shown the room"
            self.last[name] = -position
            return
        last = self.last[name]
        between = self.log[last : position - 1]
        assert position > last, f"{name} is sent {position} after {last}"
        assert not any(each.heard.delivery.frames for each in between), f"{name} misses something"
        universe = self.at(position)
        user = CLIENTS[name].user
        assert allowed_mode(universe, user) is not None, f"{name} may not see {position}"
        if position > self.rejoined.get(name, 0):
            assert name in universe.connections, f"{name} has no seat at {position}"
        self.last[name] = position

    # Invariants.

    def check(self) -> None:
        """What holds at every moment."""
        for gateway in self.gateways.values():
            room = gateway.memberships.room(U)
            if room is None:
                continue
            for membership in room.present.values():
                self._check_present(membership, room.position or 0)
            assert (gateway.chain is None) is room.is_empty

    def _check_present(self, membership: Membership, delivered: int) -> None:
        name = membership.connection.id
        assert name not in self.closed, f"{name} is gone, and present"
        assert membership.seated
        seat = self.at(max(delivered, membership.as_of)).connections.get(name)
        assert seat is not None, f"{name} is present without a seat"
        if not membership.requests:
            # Its own change of mode counts from the reply on.
            assert seat.mode == membership.mode, f"{name} may {membership.mode}, not {seat.mode}"

    def settle(self) -> None:
        """Let all that is under way arrive, and all graces end; then everybody must agree."""
        for _ in range(100):
            if not self._settle_once():
                break
        else:
            raise AssertionError("it does not come to rest")
        self._check_rest()

    def _check_rest(self) -> None:
        present = {
            membership.connection.id: membership.mode
            for gateway in self.gateways.values()
            for membership in gateway.memberships.present(U)
        }
        connections = self.universe.connections
        seats = {name: seat.mode for name, seat in connections.items() if name in CLIENTS}
        assert present == seats, f"present {present}, seated {seats}"
        assert not present.keys() & self.closed.keys(), "somebody who is gone stays"
        assert set(self.last) == present.keys(), f"present {set(present)}, told {set(self.last)}"
        shown = [each.heard.position for each in self.log if each.heard.delivery.frames]
        for name, last in self.last.items():
            assert not [each for each in shown if each > last], f"{name} was not sent all"
        for gateway in self.gateways.values():
            assert all(each.requests == 0 for each in _memberships(gateway)), "a request is open"

    def _settle_once(self) -> bool:
        for (name, rejoin), pending in list(self.pending.items()):
            if self.pending.get((name, rejoin)) is pending:
                self.step(name, rejoin=rejoin)
                return True
        for name in self.rejoining():
            self.rejoin(name)
            return True
        for name, gateway in self.gateways.items():
            room = gateway.memberships.room(U)
            if room is not None and room.position is not None and room.position < self.end:
                self.announce(name)
                return True
        for name, departure in self.closed.items():
            if departure is not None:
                self.depart(name)
                return True
        return False

    def rejoining(self) -> list[str]:
        """Connections whose seats are to be asked for again."""
        return [
            each.connection.id
            for gateway in self.gateways.values()
            for each in _memberships(gateway)
            if each.rejoining
            and not each.is_over
            and (each.connection.id, True) not in self.pending
        ]

    def rejoin(self, name: str) -> None:
        """Ask for a released seat again."""
        membership = self._gateway(name).memberships.find(name, U)
        assert membership is not None
        self.begin(name, "rejoin", resume_room(name, membership.mode or "view"))

    # For explorers.

    def key(self) -> tuple[object, ...]:
        """Worlds with the same key have the same future. Positions count from the log's end."""
        end = self.end
        awaited = [each.reply.position for each in self.pending.values() if each.reply]
        delivered = [
            room.position or 0
            for gateway in self.gateways.values()
            if (room := gateway.memberships.room(U)) is not None
        ]
        floor = min([end, *awaited, *delivered])

        def since(position: int | None) -> int | None:
            return None if position is None else end - max(position, floor)

        def kept_back(room: LocalRoom) -> tuple[object, ...]:
            return tuple((since(at), one.connection.id) for at, one, _ in room.awaited)

        def said(reply: Replied | None) -> tuple[object, ...]:
            if reply is None:
                return ()
            return (reply.refusal is None, since(reply.position), reply.mode, reply.continued)

        def of(one: Membership) -> tuple[object, ...]:
            return (
                one.connection.id,
                one.stage,
                one.requests,
                one.seated,
                since(one.as_of),
                one.mode,
                one.refusal is None,
                one.may_hold_seat,
                one.keeps_place,
                one.rejoining,
                one.is_over,
                since(one.cursor),
                since(one.continued_until),
            )

        def at(gateway: Gateway) -> tuple[object, ...]:
            room, chain = gateway.memberships.room(U), gateway.chain
            return (
                frozenset(map(of, _memberships(gateway))),
                chain
                and (since(chain.position), tuple(since(one.position) for one in chain._heard)),
                (end - gateway.sent_from, gateway.has_lost) if chain else 0,
                room
                and (
                    since(room.position),
                    since(room.complete_after),
                    len(room.recent),
                    kept_back(room),
                ),
            )

        return (
            tuple(each.label for each in self.log[floor:]),
            id(self.universe),
            tuple(at(gateway) for gateway in self.gateways.values()),
            tuple(
                (key, each.kind, each.is_saved, each.frees_seat, said(each.reply))
                for key, each in sorted(self.pending.items())
            ),
            tuple(
                (name, one and (one._is_saved, one._grace_s > 0, len(one._asked)))
                for name, one in sorted(self.closed.items())
            ),
            tuple(sorted(self.used)),
            tuple((name, since(last)) for name, last in sorted(self.last.items())),
            tuple((name, since(last)) for name, last in sorted(self.rejoined.items())),
        )

    def copied(self) -> "World":
        """The same once more, so that something else can happen to it."""
        return World(
            list(self.log),
            dict(self.gateways),
            dict(self.pending),
            dict(self.closed),
            set(self.used),
            dict(self.last),
            dict(self.rejoined),
            dict(self.told),
            set(),
        )

    def own(self, name: str) -> Gateway:
        """A gateway that is no other world's, with all that belongs to it."""
        if name in self.owned:
            return self.gateways[name]
        self.owned.add(name)
        gateway = self.gateways[name]
        twins = _Twins()
        memberships = Memberships()
        memberships._by_connection = {
            connection: {key: twins.of(value) for key, value in values.items()}
            for connection, values in gateway.memberships._by_connection.items()
        }
        for universe_id, room in gateway.memberships._rooms.items():
            twin = _copied(room)
            twin.present = {key: twins.of(one) for key, one in room.present.items()}
            twin.entering = {key: twins.of(one) for key, one in room.entering.items()}
            twin.several = {twins.of(one) for one in room.several}
            twin.recent = room.recent.copy()
            twin.awaited = [(at, twins.of(one), frames) for at, one, frames in room.awaited]
            memberships._rooms[universe_id] = twin
        chain = gateway.chain
        if chain is not None:
            chain = _copied(chain)
            chain._heard, chain._read = chain._heard.copy(), chain._read.copy()
        for key, pending in self.pending.items():
            if CLIENTS[key[0]].gateway == name:
                self.pending[key] = twin_pending = _copied(pending)
                if pending.membership is not None:
                    twin_pending.membership = twins.of(pending.membership)
        for client, departure in self.closed.items():
            if departure is not None and CLIENTS[client].gateway == name:
                twin_departure = _copied(departure)
                twin_departure._memberships = [twins.of(one) for one in departure._memberships]
                twin_departure._asked = {twins.of(one) for one in departure._asked}
                self.closed[client] = twin_departure
        self.gateways[name] = Gateway(memberships, chain, gateway.has_lost, gateway.sent_from)
        return self.gateways[name]


class _Twins:
    """Memberships and their copies."""

    def __init__(self) -> None:
        self._known: dict[int, Membership] = {}

    def of(self, one: Membership) -> Membership:
        twin = self._known.get(id(one))
        if twin is None:
            twin = self._known[id(one)] = _copied(one)
        return twin


def _copied(one: T) -> T:
    """A shallow copy. The module ``copy`` makes the same, and takes three times as long."""
    twin = object.__new__(type(one))
    if hasattr(one, "__slots__"):
        for name in one.__slots__:
            setattr(twin, name, getattr(one, name))
    else:
        twin.__dict__.update(one.__dict__)
    return twin


def _memberships(gateway: Gateway) -> Iterable[Membership]:
    for known in gateway.memberships._by_connection.values():
        yield from known.values()


def _is_shown(event: LogEvent) -> bool:
    spec = getattr(type(event), "spec", None)
    return spec is not None and spec.name in EVENTS and spec.audience is Audience.ROOM


class _Shown(int):
    """A position in the place of frames, without a number."""

    seq = 0


def as_frame(position: int) -> Frame:
    """A position in the place of frames."""
    return cast("Frame", _Shown(position))


def as_connection(client: Client) -> Connection:
    """A client in the place of a connection."""
    return cast("Connection", client)


@cache
def join_room(mode: Mode) -> JoinRoom:
    return JoinRoom.model_validate({"universeId": U, "mode": mode})


@cache
def leave_room() -> LeaveRoom:
    return LeaveRoom.model_validate({"universeId": U})


@cache
def resume_room(replaces: str, mode: Mode = "edit") -> ResumeRoom:
    return ResumeRoom(universe_id=U, mode=mode, replaces=replaces)


@cache
def set_member(user: str, role: Mode) -> SetMember:
    return SetMember.model_validate({"universeId": U, "userId": user, "role": role})


@cache
def remove_member(user: str) -> RemoveMember:
    return RemoveMember.model_validate({"universeId": U, "userId": user})


@cache
def remove_participant(user: str) -> RemoveParticipant:
    return RemoveParticipant.model_validate({"universeId": U, "userId": user})


@cache
def ban_user(user: str) -> BanUser:
    return BanUser.model_validate({"universeId": U, "userId": user})


@cache
def unban_user(user: str) -> UnbanUser:
    return UnbanUser.model_validate({"universeId": U, "userId": user})


@cache
def make_private() -> UpdateUniverse:
    return UpdateUniverse.model_validate({"universeId": U, "visibility": "private"})


@cache
def delete_universe() -> DeleteUniverse:
    return DeleteUniverse.model_validate({"universeId": U})


@cache
def update_physics() -> UpdateSet:
    return PHYSICS.command.model_validate({"universeId": U, "parameters": {"gravity": 1}})


@cache
def close_connection() -> CloseConnection:
    return CloseConnection(universe_id=U)


@cache
def release_gateway(name: str) -> ReleaseGateway:
    return ReleaseGateway(universe_id=U, gateway_id=name)
