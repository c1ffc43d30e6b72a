"""``harmonic who``, ``tail`` and ``kick``: one universe, asked of its owner or heard live."""

import asyncio
from collections.abc import Iterator
from typing import Any

from harmonic_operator.connection import NotDone
from harmonic_operator.output import console, table, write_json
from harmonic_operator.replicas import describe
from harmonic_protocol import subjects
from harmonic_protocol.envelope import Caller, Envelope, Reply
from harmonic_protocol.internal import (
    InspectUniverse,
    InternalUniverseRequest,
    RemoveUser,
    UniverseInspected,
    UserRemoved,
)
from harmonic_protocol.log import Record
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.directory import watch
from harmonic_runtime.bus.routing import OwnerClient
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.process.clock import SystemClock, milliseconds

OWNER_TIMEOUT_S = 5.0
#: Records that wait to be printed at most; beyond, the oldest are left out, and that is said.
MAX_WAITING_RECORDS = 10_000
#: Whose name stands in an owner's log for what an operator asked.
_OPERATOR = Caller("operator", "operator")
SEQUENCE = "Nats-Sequence"


async def ask_owner(bus: Bus, request: InternalUniverseRequest) -> dict[str, Any]:
    """The owner's answer to a request; raise :class:`NotDone` if it is refused."""
    left_ms = int(OWNER_TIMEOUT_S * 1000)
    deadline_ms = milliseconds(SystemClock().now()) + left_ms
    async with watch(bus, "state") as replicas:
        message = await OwnerClient(bus, replicas, "state").request(
            request.universe_id,
            request.operation(),
            request.to_json(),
            headers=Envelope(_OPERATOR, deadline_ms, left_ms=left_ms).to_headers(),
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
    """Have a user leave a room now, with all connections."""
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


async def tail(bus: Bus, universe_id: str, *, events: int | None, as_json: bool) -> None:
    """Print a universe's events as they are stored, for ever or until there were so many."""
    await ask_owner(bus, InspectUniverse(universe_id=universe_id))
    waiting: asyncio.Queue[Message] = asyncio.Queue(MAX_WAITING_RECORDS)
    left_out = 0

    def hear(message: Message) -> None:
        nonlocal left_out
        if waiting.full():
            waiting.get_nowait()
            left_out += 1
        waiting.put_nowait(message)

    await bus.subscribe(subjects.live(universe_id), hear, republished=True)
    await bus.flush()
    if as_json:
        write_json({"listening": universe_id})
    else:
        console.print(f"Listening to {universe_id}; Ctrl-C ends it.")
    shown = 0
    while events is None or shown < events:
        message = await waiting.get()
        if left_out:
            console.print(f"… {left_out} records were left out: they came too fast.")
            left_out = 0
        for event in _events(message):
            if events is not None and shown >= events:
                return
            shown += 1
            if as_json:
                write_json(event)
            else:
                console.print(
                    f"{event['at']} {event['position']} {event['name']} {event['data']}",
                    markup=False,
                )


def _events(message: Message) -> Iterator[dict[str, Any]]:
    record = Record.model_validate_json(message.payload)
    position = int(message.headers.get(SEQUENCE, "0"))
    for event in record.events:
        yield {"at": record.at, "position": position, "name": event.name, "data": event.data}
