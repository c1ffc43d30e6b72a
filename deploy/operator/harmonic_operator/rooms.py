"""``harmonic who``, ``tail`` and ``kick``: one universe, from its owner or from live events."""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from harmonic_operator.auditing import operator_name
from harmonic_operator.connection import NotDone
from harmonic_operator.output import console, table, write_json
from harmonic_operator.replicas import describe
from harmonic_protocol import subjects
from harmonic_protocol.envelope import Caller, Envelope, Reply
from harmonic_protocol.intervening import (
    InspectUniverse,
    OperatorBan,
    OperatorUnban,
    RemoveUser,
    UniverseInspected,
    UserRemoved,
)
from harmonic_protocol.log import Record
from harmonic_protocol.request import InternalUniverseRequest
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.directory import watch
from harmonic_runtime.bus.dispatch import MESSAGE_OVERHEAD_BYTES
from harmonic_runtime.bus.routing import OwnerClient
from harmonic_runtime.bus.wire import STORED_SEQUENCE, Message
from harmonic_runtime.process.clock import SystemClock, milliseconds

OWNER_TIMEOUT_S = 5.0
#: Bytes that may wait to be printed; beyond, the oldest records are dropped and reported.
MAX_WAITING_BYTES = 64 * 1024 * 1024


async def ask_owner(bus: Bus, request: InternalUniverseRequest) -> dict[str, Any]:
    """The owner's answer to a request; raise :class:`NotDone` if it is refused."""
    async with watch(bus, "state") as replicas:
        return await answer_of(OwnerClient(bus, replicas, "state"), request)


async def answer_of(owners: OwnerClient, request: InternalUniverseRequest) -> dict[str, Any]:
    """The owner's answer, if owners are asked more than once."""
    left_ms = int(OWNER_TIMEOUT_S * 1000)
    deadline_ms = milliseconds(SystemClock().now()) + left_ms
    message = await owners.request(
        request.universe_id,
        request.operation(),
        request.to_json(),
        headers=Envelope(_operator(), deadline_ms, left_ms=left_ms).to_headers(),
        deadline_s=OWNER_TIMEOUT_S,
        repeatable=request.repeatable,
    )
    reply = Reply.model_validate_json(message.payload)
    if reply.error is not None:
        raise NotDone(f"{reply.error.message} ({reply.error.code.value}).")
    return reply.result or {}


async def who(bus: Bus, universe_id: str, *, as_json: bool) -> None:
    """Show who is in a room, over which connections and at which gateways."""
    request = InspectUniverse(universe_id=universe_id)
    inspected = UniverseInspected.model_validate(await ask_owner(bus, request))
    gateways = await describe(bus, "gateway")
    names = {each.replica: each.instance for each in gateways.described}
    if as_json:
        write_json({**inspected.to_wire(), "gateways": names})
        return
    universe = inspected.universe
    console.print(
        f"{universe.id} {universe.name!r}: {universe.visibility}, owned by {universe.owner},"
        f" seq {universe.seq}, {universe.participants} of {universe.max_participants} people"
    )
    rows = [
        (
            seat.user_id,
            seat.username,
            seat.mode,
            names.get(seat.gateway_id, seat.gateway_id),
            seat.connection_id,
        )
        for seat in inspected.seats
    ]
    console.print(table("", ("User", "Name", "Mode", "Gateway", "Connection"), rows))
    if inspected.away:
        console.print(f"Away, and may come back: {', '.join(inspected.away)}")


async def kick(bus: Bus, universe_id: str, user_id: str, *, as_json: bool) -> None:
    """Remove a user from a room now, with all connections."""
    request = RemoveUser(universe_id=universe_id, user_id=user_id)
    removed = UserRemoved.model_validate(await ask_owner(bus, request))
    if as_json:
        write_json({"universe": universe_id, "user": user_id, **removed.to_wire()})
        return
    console.print(
        f"{user_id} is out of {universe_id}, with {removed.connections} connections (those that are"
        " away included);"
        " the user may come again."
    )


async def ban(bus: Bus, universe_id: str, user_id: str, *, as_json: bool) -> None:
    """Ban a user from a universe, as its owner may."""
    await ask_owner(bus, OperatorBan(universe_id=universe_id, user_id=user_id))
    if as_json:
        write_json({"universe": universe_id, "user": user_id, "banned": True})
        return
    console.print(
        f"{user_id} is banned from {universe_id}, and out of its room. The owner may lift the ban,"
        " and so does `harmonic unban`."
    )


async def unban(bus: Bus, universe_id: str, user_id: str, *, as_json: bool) -> None:
    """Lift a ban; raise :class:`NotDone` if there is none."""
    await ask_owner(bus, OperatorUnban(universe_id=universe_id, user_id=user_id))
    if as_json:
        write_json({"universe": universe_id, "user": user_id, "banned": False})
        return
    console.print(
        f"{user_id} is not banned from {universe_id} any more; a role that it had is not back."
    )


async def tail(bus: Bus, universe_id: str, *, events: int | None, as_json: bool) -> None:
    """Print a universe's events as they are stored, until stopped or until a number of events.

    A record that cannot be read is reported, and does not affect others.
    """
    await ask_owner(bus, InspectUniverse(universe_id=universe_id))
    heard = _Heard()
    await bus.subscribe(subjects.live(universe_id), heard.take, republished=True)
    await bus.flush()
    if as_json:
        write_json({"listening": universe_id})
    else:
        console.print(f"Listening to {universe_id}; Ctrl-C ends it.")
    shown = 0
    while events is None or shown < events:
        message = await heard.next()
        if left_out := heard.take_left_out():
            _print({"leftOut": left_out}, as_json=as_json)
        for event in _events(message):
            if events is not None and shown >= events:
                return
            shown += "name" in event
            _print(event, as_json=as_json)


def _print(told: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        write_json(told)
    elif "name" in told:
        console.print(f"{told['at']} {told['position']} {told['name']} {told['data']}")
    elif "leftOut" in told:
        console.print(f"… {told['leftOut']} records were left out: they came too fast.")
    else:
        console.print(f"… the record at {told['position']} cannot be read.")


def _events(message: Message) -> Iterator[Mapping[str, Any]]:
    """The events of a record; for an unreadable one, an event that reports it."""
    position = int(message.headers.get(STORED_SEQUENCE, "0"))
    try:
        record = Record.model_validate_json(message.payload)
    except ValidationError:
        yield {"position": position, "unreadable": True}
        return
    for event in record.events:
        yield {"at": record.at, "position": position, "name": event.name, "data": event.data}


class _Heard:
    """Messages that wait to be printed, bounded in bytes: beyond, the oldest are dropped."""

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._left_out = 0

    def take(self, message: Message) -> None:
        """Add a message."""
        self._waiting.append(message)
        self._bytes += _size(message)
        while self._bytes > MAX_WAITING_BYTES:
            self._remove()
            self._left_out += 1
        self._news.set()

    async def next(self) -> Message:
        """Take the first message, once there is one."""
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        return self._remove()

    def take_left_out(self) -> int:
        """The number of messages dropped since the last call."""
        left_out, self._left_out = self._left_out, 0
        return left_out

    def _remove(self) -> Message:
        message = self._waiting.popleft()
        self._bytes -= _size(message)
        return message


def _size(message: Message) -> int:
    return len(message.payload) + MESSAGE_OVERHEAD_BYTES


def _operator() -> Caller:
    """The caller that the owner's log names for an operator's requests."""
    name = operator_name()
    return Caller(name, name)
