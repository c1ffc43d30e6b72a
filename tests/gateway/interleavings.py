"""Every order in which things may happen in a room, up to a depth: nobody hears or stays wrongly.

The invariants are those of :mod:`gateway.universe_model`. Two users have two connections each, on
two gateways. Worlds that differ in nothing that matters later are explored once; the orders that
lead to them are all counted.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

from gateway.universe_model import (
    CLIENTS,
    GRACE_S,
    Client,
    Kind,
    U,
    World,
    ban_user,
    delete_universe,
    join_room,
    leave_room,
    make_private,
    release_gateway,
    remove_member,
    remove_participant,
    resume_room,
    set_member,
    unban_user,
    update_physics,
)
from harmonic_protocol.envelope import Caller
from harmonic_state.domain.universe import Absence, Seat, Universe
from harmonic_state.domain.universe_requests import UniverseRequest

Visibility = Literal["private", "public"]
VISIBILITIES: tuple[Visibility, ...] = ("private", "public")
NOBODY = Caller("", "")
#: All that happens to a connection: see :func:`_of_client`, :func:`_of_gateway` and the owner.
EVENTS = (
    *("join", "second connection", "leave", "reply", "enter"),
    *("removal", "downgrade", "made private", "deletion", "addition", "update"),
    *("kick", "ban", "lifted ban"),
    *("revocation", "expiry", "release", "resume by pid", "adoption"),
    *("gateway lost", "rejoin", "record", "head", "gap"),
)


class Action(NamedTuple):
    """One thing that may happen, and to whom."""

    event: str
    whom: str
    do: Callable[[World], object]


def possible(world: World) -> Iterator[Action]:
    """All that may happen now."""
    for name in CLIENTS:
        yield from _of_client(world, name)
    if not world.universe.deleted:
        yield from _of_owner(world)
    for name in world.gateways:
        yield from _of_gateway(world, name)
    for name in world.rejoining():
        yield Action("rejoin", name, _rejoins(name))
    for (name, rejoin), pending in world.pending.items():
        event = "enter" if pending.is_saved else "reply"
        yield Action(event, name, partial(World.step, name=name, rejoin=rejoin))
    for name, departure in world.closed.items():
        if departure is not None:
            yield Action("release", name, partial(World.depart, name=name))


def _of_client(world: World, name: str) -> Iterator[Action]:
    if name in world.closed:
        return
    client = CLIENTS[name]
    known = world.gateways[client.gateway].memberships.find(name, U)
    earlier = f"{client.user}1"
    if (name, False) not in world.pending:
        mode: Literal["edit", "view"] = "view" if known and known.mode == "edit" else "edit"
        event = "join" if name == earlier or known else "second connection"
        yield Action(event, name, _begins(name, "join", join_room(mode)))
        if known is not None:
            yield Action("leave", name, _begins(name, "leave", leave_room()))
        if name not in world.used and name != earlier and earlier in world.used:
            event = "adoption" if earlier in world.closed else "resume by pid"
            yield Action(event, name, _begins(name, "resume", resume_room(earlier)))
    if name in world.used:
        yield Action("expiry", name, lambda w: w.disconnect(name, grace_s=GRACE_S))
        yield Action("revocation", name, lambda w: w.disconnect(name, grace_s=0.0))


def _begins(name: str, kind: Kind, request: UniverseRequest) -> Callable[[World], None]:
    """Begin a request and have it decided: only the log's order matters, and the way back."""

    def begin(world: World) -> None:
        world.begin(name, kind, request)
        world.step(name)

    return begin


def _rejoins(name: str) -> Callable[[World], None]:
    def begin(world: World) -> None:
        world.rejoin(name)
        world.step(name, rejoin=True)

    return begin


def _of_owner(world: World) -> Iterator[Action]:
    def asks(event: str, request: UniverseRequest) -> Action:
        return Action(event, "", lambda w: w.owner_asks(request))

    universe = world.universe
    role = universe.members.get("ann")
    if role is not None:
        yield asks("removal", remove_member("ann"))
    if role == "edit":
        yield asks("downgrade", set_member("ann", "view"))
    elif "ann" not in universe.bans:
        yield asks("addition", set_member("ann", "edit"))
    if any(each.user_id == "ann" for each in _seats_and_absences(universe)):
        yield asks("kick", remove_participant("ann"))
    if "ann" in universe.bans:
        yield asks("lifted ban", unban_user("ann"))
    else:
        yield asks("ban", ban_user("ann"))
    if universe.visibility == "public":
        yield asks("made private", make_private())
    yield asks("deletion", delete_universe())
    if not any(each.heard.delivery.frames for each in world.log[_delivered(world) :]):
        # More of them at once would show nothing new.
        yield asks("update", update_physics())


def _seats_and_absences(universe: Universe) -> Iterator[Seat | Absence]:
    yield from universe.connections.values()
    yield from universe.absences.values()


def _delivered(world: World) -> int:
    rooms = [gateway.memberships.room(U) for gateway in world.gateways.values()]
    return min((room.position for room in rooms if room and room.position), default=world.end)


def _of_gateway(world: World, name: str) -> Iterator[Action]:
    gateway = world.gateways[name]
    if any(seat.gateway_id == name for seat in world.universe.connections.values()):
        yield Action("gateway lost", name, lambda w: w.ask(release_gateway(name), NOBODY))
    if gateway.chain is None:
        return
    if gateway.sent_from < world.end:
        yield Action("record", name, lambda w: w.hear(name))
        yield Action("gap", name, lambda w: w.hear(name, is_lost=True))
    room = gateway.memberships.room(U)
    is_behind = room is not None and room.position is not None and room.position < world.end
    if is_behind and gateway.has_lost:
        # Else the records come by themselves, as they do here.
        yield Action("head", name, lambda w: w.announce(name))


@dataclass
class Explored:
    """What an exploration has seen: orders, worlds, and events by the state they happened in."""

    orders: int = 0
    worlds: int = 0
    pairs: set[tuple[str, str]] = field(default_factory=set)

    def note(self, world: World, actions: Iterable[Action]) -> None:
        states = {name: state_of(world, name) for name in CLIENTS}
        for action in actions:
            for name, state in states.items():
                if action.whom in ("", name, CLIENTS[name].gateway):
                    self.pairs.add((state, action.event))


def state_of(world: World, name: str) -> str:
    """The state of a connection's membership, in a word."""
    known = world.gateways[CLIENTS[name].gateway].memberships.find(name, U)
    if name in world.closed:
        return "departed"
    if known is None:
        return "apart"
    if known.rejoining:
        return "rejoining"
    return known.stage.name.lower()


class _Branch(NamedTuple):
    """A world to go on from, its number, and one of the orders that lead to it."""

    world: World
    number: int
    path: tuple[str, ...]


class Exploration:
    """Does all that is possible, in every order, and lets everything come to rest after each.

    A world is gone on from where it is met first, and not again: that is after as few actions as
    can lead to it, so all is seen that later visits could lead to within the depth. Orders are
    counted by what leads to what. Worlds are told apart by the hashes of their keys; those that are
    met one action before the end are gone on from at once, and not kept.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._numbers: dict[int, int] = {}
        #: What each action in a world leads to, in the order of the worlds' numbers.
        self._successors: list[list[int]] = []
        #: How many actions are possible in a world that is met one action before the end.
        self._degrees: dict[int, int] = {}
        self._met_last: set[int] = set()
        self.seen = Explored()

    def explore(self, first: World) -> Explored:
        """Raise :class:`AssertionError`, with an order, if an invariant does not hold."""
        self._numbers[hash(first.key())] = 0
        branches: Iterable[_Branch] = [_Branch(first, 0, ())]
        for _ in range(self._depth - 1):
            # All that is met with fewer actions is known before more are done; the last, lazily.
            branches = self._met_first(list(branches))
        for branch in branches:
            self._end_with(branch)
        self.seen.orders = self._orders()
        self.seen.worlds = len(self._numbers.keys() | self._met_last)
        return self.seen

    def _met_first(self, branches: Iterable[_Branch]) -> Iterator[_Branch]:
        for branch in branches:
            successors = []
            for twin, key, path in self._done(branch):
                number = self._numbers.get(key)
                if number is None:
                    number = self._numbers[key] = len(self._numbers)
                    _rest(twin, path)
                    yield _Branch(twin, number, path)
                successors.append(number)
            self._successors.append(successors)

    def _end_with(self, branch: _Branch) -> None:
        self._degrees[branch.number] = 0
        for twin, key, path in self._done(branch):
            self._degrees[branch.number] += 1
            if key not in self._numbers and key not in self._met_last:
                self._met_last.add(key)
                _rest(twin, path)

    def _done(self, branch: _Branch) -> Iterator[tuple[World, int, tuple[str, ...]]]:
        actions = list(possible(branch.world))
        self.seen.note(branch.world, actions)
        for action in actions:
            path = (*branch.path, f"{action.event} {action.whom}")
            twin = Client.world = branch.world.copied()
            try:
                action.do(twin)
                twin.check()
            except (AssertionError, KeyError) as error:
                raise AssertionError(f"{error!r}, after: {', '.join(path)}") from error
            yield twin, hash(twin.key()), path

    def _orders(self) -> int:
        counts = Counter({0: 1})
        for _ in range(self._depth - 1):
            following: Counter[int] = Counter()
            for number, orders in counts.items():
                for successor in self._successors[number]:
                    following[successor] += orders
            counts = following
        return sum(orders * self._degree(number) for number, orders in counts.items())

    def _degree(self, number: int) -> int:
        known = self._degrees.get(number)
        return len(self._successors[number]) if known is None else known


def _rest(world: World, path: tuple[str, ...]) -> None:
    end = Client.world = world.copied()
    try:
        end.settle()
        end.check()
    except (AssertionError, KeyError) as error:
        raise AssertionError(f"{error!r}, at rest after: {', '.join(path)}") from error


def gathered(visibility: Visibility, *names: str) -> World:
    """A world with members who have heard everything."""
    world = Client.world = World.new(visibility)
    for name in names:
        world.begin(name, "join", join_room("edit"))
        world.settle()
    for gateway in world.gateways.values():
        gateway.sent_from = world.end
    return world


def released(visibility: Visibility, *names: str) -> World:
    """The same after their gateway was taken for dead, and has heard of it."""
    world = gathered(visibility, *names)
    world.ask(release_gateway("g1"), NOBODY)
    world.announce("g1")
    return world


#: Where explorations begin.
BEGINNINGS: dict[str, Callable[[Visibility], World]] = {
    "nobody is there": gathered,
    "two are members": lambda visibility: gathered(visibility, "ann1", "bob1"),
    "two members lost their seats": lambda visibility: released(visibility, "ann1", "bob1"),
}


def explored(beginning: str, visibility: Visibility, depth: int) -> tuple[Explored, float]:
    """What is seen from a beginning on, and the CPU seconds that it took."""
    began_s = time.process_time()
    seen = Exploration(depth).explore(BEGINNINGS[beginning](visibility))
    return seen, time.process_time() - began_s


def main() -> None:
    """Explore from the command line: see ``python -m gateway.interleavings --help``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("depth", type=int)
    parser.add_argument("--beginning", nargs="*", choices=BEGINNINGS, default=list(BEGINNINGS))
    parser.add_argument("--visibility", nargs="*", choices=VISIBILITIES, default=VISIBILITIES)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    chosen = parser.parse_args()
    with ProcessPoolExecutor(chosen.workers) as processes:
        under_way = {
            processes.submit(explored, beginning, visibility, chosen.depth): (beginning, visibility)
            # The longest first.
            for beginning in reversed(chosen.beginning)
            for visibility in reversed(chosen.visibility)
        }
        for done in as_completed(under_way):
            seen, took_s = done.result()
            counted = f"{seen.orders:,} orders, {seen.worlds:,} worlds, {took_s:.0f} s of CPU"
            sys.stdout.write(f"{', '.join(under_way[done])}, depth {chosen.depth}: {counted}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
