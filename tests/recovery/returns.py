"""Clients that return while something else happens: who gets which room, and what is sent again."""

import asyncio

from harness.client import Silence
from recovery.proxy import Loss
from recovery.tries import GRACE_S, PATIENCE_S, PING_INTERVAL_S, PING_TIMEOUT_S, Try, heard
from recovery.visitors import Visitor

CHANGES = 5


def told_again(client: Visitor, since: int) -> list[float]:
    """The values of changes that a client was told after the first ``since`` things it heard."""
    return [
        data["parameters"]["gravity"]
        for name, data in client.listener.heard[since:]
        if name == "physics_updated" and "current" not in data
    ]


async def half_open(attempt: Try) -> str | None:
    """The network changes: the room has to follow, with what happened meanwhile."""
    client, universe, other = await attempt.enters()
    await client.loses(Loss.HALF_OPEN)
    await asyncio.sleep(attempt.chance.uniform(0, 0.05))
    value = await attempt.changes(other, universe)
    since = len(client.listener.heard)
    await client.listener.hears("connect_success")
    if not await attempt.comes_true(client, lambda: heard(client, since, "room_joined", universe)):
        return "the room was lost"
    if not await attempt.comes_true(
        client, lambda: heard(client, since, "state_recovered", universe)
    ):
        return "it was not recovered"
    if not await attempt.comes_true(client, lambda: value in told_again(client, since)):
        return "a change was missed"
    return None


async def another_page(attempt: Try) -> str | None:
    """A page is left, and one for another universe is opened: it must not get the first's room."""
    client, universe, other = await attempt.enters()
    second = await attempt.client()
    another = await attempt.world.universe()
    await client.ends()
    await asyncio.sleep(attempt.chance.choice([0, attempt.chance.uniform(0, 0.03)]))
    await second.comes()
    await second.joins(another)
    await attempt.changes(other, universe)
    if await attempt.comes_true(second, lambda: heard(second, 0, "room_joined", universe)):
        return "it was put into the first page's room"
    return "it heard the first page's room" if told_again(second, 0) else None


async def killed_page(attempt: Try) -> str | None:
    """A page is killed and opened anew: what its heartbeats acknowledged is not sent again."""
    client, universe, other = await attempt.enters()
    for _ in range(CHANGES):
        value = await attempt.changes(other, universe)
    if not await attempt.comes_true(client, lambda: value in told_again(client, 0)):
        return "a change was not heard"
    # Until a heartbeat that was sent after the last change is answered.
    await asyncio.sleep(2.2 * PING_INTERVAL_S)
    await client.dies()
    missed = await attempt.changes(other, universe)
    second = await attempt.client()
    await second.comes()
    if not await attempt.comes_true(second, lambda: heard(second, 0, "state_recovered", universe)):
        return "the room was lost"
    if not await attempt.comes_true(second, lambda: missed in told_again(second, 0)):
        return "a change was missed"
    again = told_again(second, 0)
    return None if again == [missed] else f"{len(again) - 1} were sent again"


async def removed_while_away(attempt: Try) -> str | None:
    """Removed while away, added again, back: nothing of the time between is sent."""
    client, universe, other = await attempt.enters(visibility="private")
    member = f"/universes/{universe}/members/{attempt.user}"
    await client.loses(Loss.CUT, for_good=True)
    await attempt.world.call("DELETE", member, "owner")
    secret = await attempt.changes(other, universe)
    await attempt.lets_in(universe, attempt.user)
    client.balancer.takes_in = True
    since = len(client.listener.heard)
    await client.listener.hears("connect_success")
    later = await attempt.changes(other, universe)
    if not await attempt.comes_true(client, lambda: heard(client, since, "room_joined", universe)):
        return None
    if not await attempt.comes_true(client, lambda: later in told_again(client, since)):
        return None
    again = told_again(client, since)
    return "a change that it was not allowed to see" if secret in again else None


async def gone_while_pending(attempt: Try) -> str | None:
    """The client that is to be given the rooms dies just then: nobody may stay in them."""
    client, universe, other = await attempt.enters()
    await client.loses(Loss.HALF_OPEN)
    await client.listener.hears("connect_success")
    await asyncio.sleep(PING_TIMEOUT_S + attempt.chance.uniform(-0.2, 0.2))
    await client.dies()
    try:
        async with asyncio.timeout(PATIENCE_S + 2 * GRACE_S):
            await other.hears("participant_left", universeId=universe, userId=attempt.user)
    except (TimeoutError, Silence):
        return "it never left"
    return None
