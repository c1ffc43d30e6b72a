"""``harmonic drain`` and ``harmonic rebalance``: they move clients to other gateways."""

import asyncio
from collections.abc import Mapping

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from harmonic_operator.auditing import note
from harmonic_operator.balancing import Share, imbalance, shares, taken
from harmonic_operator.connection import NotDone
from harmonic_operator.judging import total
from harmonic_operator.output import console, errors, table, write_json
from harmonic_operator.replicas import ask_one, describe
from harmonic_protocol.operating import MAX_BOUND_S, Description, Done, Drain, MoveClients
from harmonic_runtime.bus.client import Bus

POLL_S = 0.25
#: Seconds after the last closed client within which all should have reconnected. Official clients
#: wait up to five seconds between two attempts.
RETURN_S = 30.0
#: Clients that disconnect by themselves meanwhile are not waited for.
BACK = 0.98


def connections(described: Description) -> int:
    """The number of a gateway's clients."""
    return int(total(described.values, "harmonic_connections"))


async def drain(
    bus: Bus, gateway: str, *, over_s: float, undo: bool, force: bool, as_json: bool
) -> None:
    """Have a gateway close all its clients and take no new ones, or take them again."""
    known = {each.instance: each for each in (await describe(bus, "gateway")).of("gateway")}
    if gateway not in known:
        raise NotDone(f"No gateway {gateway} answers; there are: {', '.join(known) or 'none'}.")
    others = [each for each in known.values() if each.instance != gateway]
    if not undo and not force and not any(each.state == "ready" for each in others):
        raise NotDone("No other gateway is ready to take its clients; --force drains it anyway.")
    done = await ask_one(bus, "gateway", gateway, Drain(over_s=over_s, undo=undo), Done)
    if done is None:
        raise NotDone(f"{gateway} did not answer.")
    await note(bus, "drain", gateway=gateway, undo=undo)
    left = 0 if undo else await _until_empty(bus, gateway, done.connections, over_s)
    if as_json:
        write_json({"gateway": gateway, "undone": undo, "clients": done.connections, "left": left})
    elif undo:
        console.print(f"{gateway} takes clients again.")
    elif not left:
        console.print(
            f"{gateway} has no client any more, and takes none until it is restarted, or until"
            f" `harmonic drain {gateway} --undo`. It had {done.connections}."
        )
    if left:
        raise NotDone(f"{gateway} still has {left} clients.")


async def _until_empty(bus: Bus, gateway: str, before: int, over_s: float) -> int:
    """Wait until a gateway has no client; return how many are left after the timeout."""
    left = before
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + over_s + RETURN_S
    with _progress() as progress:
        task = progress.add_task(f"Draining {gateway}", total=before)
        while True:
            described = {each.instance: each for each in (await describe(bus, "gateway")).described}
            left = connections(described[gateway]) if gateway in described else left
            progress.update(task, completed=max(0, before - left))
            if not left or loop.time() > ends_at:
                return left
            await asyncio.sleep(POLL_S)


async def rebalance(bus: Bus, *, per_s: float, as_json: bool) -> None:
    """Have the fullest gateways close clients, each client at most once.

    The result for the closed clients is known only as how many more the other gateways have
    afterwards.
    """
    before = await _counts(bus)
    plan = shares(before)
    closed = sum(share.clients for share in plan.values())
    after = before
    if plan:
        over_s = min(max(share.clients for share in plan.values()) / per_s, MAX_BOUND_S)
        await _move(bus, plan, over_s)
        await note(bus, "rebalance", closed=closed)
        try:
            after = await _until_back(bus, sum(before.values()), closed, over_s)
        finally:
            await _lift(bus, plan)
    missing = max(0, sum(before.values()) - sum(after.values()))
    if as_json:
        write_json(
            {
                "closed": closed,
                "taken": taken(before, after),
                "missing": missing,
                "before": before,
                "after": after,
                "imbalance": {"before": imbalance(before), "after": imbalance(after)},
            }
        )
        return
    rows = [(name, before[name], after.get(name)) for name in sorted(before)]
    console.print(table("", ("Gateway", "Before ", "After "), rows))
    console.print(
        f"{closed} clients were closed, to come back elsewhere. Gateways that had less have"
        f" {taken(before, after)} more. The fullest gateway has {imbalance(after):.2f} times the"
        f" mean, before {imbalance(before):.2f}."
    )
    if missing > (1 - BACK) * sum(before.values()):
        console.print(
            f"{missing} clients fewer are connected than before: they went, do not reconnect, or do"
            " not reach the gateways that have room."
        )


async def _counts(bus: Bus) -> dict[str, int]:
    """The clients of each gateway that accepts some; raise :class:`NotDone` if there is none."""
    ready = [
        each for each in (await describe(bus, "gateway")).of("gateway") if each.state == "ready"
    ]
    if not ready:
        raise NotDone("No gateway is ready.")
    return {each.instance: connections(each) for each in ready}


async def _move(bus: Bus, plan: Mapping[str, Share], over_s: float) -> None:
    for_s = min(over_s + RETURN_S, MAX_BOUND_S)
    # Those that only take clients first: closed clients reconnect at once.
    for gateway, share in sorted(plan.items(), key=lambda each: each[1].clients):
        asked = MoveClients(clients=share.clients, over_s=over_s, most=share.most, for_s=for_s)
        if await ask_one(bus, "gateway", gateway, asked, Done) is None:
            raise NotDone(f"{gateway} did not answer; what was begun goes on.")


async def _lift(bus: Bus, plan: Mapping[str, Share]) -> None:
    for gateway in plan:
        nothing = MoveClients(clients=0, over_s=0, most=0, for_s=0)
        await ask_one(bus, "gateway", gateway, nothing, Done)


async def _until_back(bus: Bus, before: int, moved: int, over_s: float) -> dict[str, int]:
    """Wait until as many clients as before are connected, or until the timeout."""
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    with _progress() as progress:
        task = progress.add_task("Moving clients", total=moved)
        while True:
            counts = await _counts(bus)
            passed_s = loop.time() - began_at
            closed = moved if passed_s >= over_s else int(moved * passed_s / over_s)
            missing = max(0, before - sum(counts.values()))
            progress.update(task, completed=max(0, closed - missing))
            is_back = closed == moved and sum(counts.values()) >= BACK * before
            if is_back or passed_s > over_s + RETURN_S:
                return counts
            await asyncio.sleep(POLL_S)


def _progress() -> Progress:
    """A progress bar on standard error, if that is a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
    )
