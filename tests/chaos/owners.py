"""Asking a certain replica of the state service, whoever owns the universe."""

import time
from collections.abc import Mapping
from typing import Any

from harmonic_local.processes import Managed, parse
from harmonic_local.stack import Stack
from harmonic_protocol.envelope import Caller, Envelope, Reply
from harmonic_protocol.messages.declaration import Request
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.routing import rank

TIMEOUT_S = 5.0


def replica_id(stack: Stack, process: Managed) -> str:
    """What a process that was started calls itself: the latest lines of its log say so."""
    log = stack.plan.data.parent / f"{process.name}.log"
    for line in reversed(log.read_text().splitlines()):
        entry: Mapping[str, Any] = parse(line)
        if "replica" in entry:
            return str(entry["replica"])
    raise LookupError(process.name)


def owner_of(stack: Stack, universe: str) -> Managed:
    """The process that gateways ask first, if all of them know of all replicas."""
    by_id = {replica_id(stack, process): process for process in stack.states}
    return by_id[rank(universe, by_id)[0]]


async def ask(bus: Bus, replica: str, request: Request, caller: Caller) -> Reply:
    """A replica's answer."""
    deadline_ms = int((time.time() + TIMEOUT_S) * 1000)
    message = await bus.request(
        f"hu.state.{replica}.{request.operation()}",
        request.model_dump_json(by_alias=True, exclude_unset=True).encode(),
        headers=Envelope(caller, deadline_ms).to_headers(),
        timeout_s=TIMEOUT_S,
    )
    return Reply.model_validate_json(message.payload)
