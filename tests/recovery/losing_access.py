"""Joining at the moment at which one loses access: who is out in the end hears nothing."""

import asyncio

from recovery.tries import Attempt, Try

#: Both begin at most so long after one another.
WITHIN_S = 0.01
ANALYSIS = {"frequencies": [], "waveform": [], "timestamp": "2024-03-21T10:30:00.000Z"}


async def join_and_removal(attempt: Try) -> str | None:
    """The client is removed as it joins."""
    return await _joins_while(attempt, "DELETE", "/members/{user}", None)


async def join_and_downgrade(attempt: Try) -> str | None:
    """The client may only view as it joins to edit."""
    return await _joins_while(attempt, "PUT", "/members/{user}", {"role": "view"})


async def join_and_hiding(attempt: Try) -> str | None:
    """The universe is made private as somebody joins who is no member."""
    return await _joins_while(attempt, "PATCH", "", {"visibility": "private"})


async def join_and_deletion(attempt: Try) -> str | None:
    """The universe is deleted as the client joins."""
    return await _joins_while(attempt, "DELETE", "", None)


LOSSES: tuple[Attempt, ...] = (
    join_and_removal,
    join_and_downgrade,
    join_and_hiding,
    join_and_deletion,
)


async def _joins_while(attempt: Try, method: str, path: str, body: object) -> str | None:
    world, user = attempt.world, attempt.user
    is_public, is_downgrade, is_deletion = method == "PATCH", method == "PUT", not path and not body
    visibility = "public" if is_public else "private"
    universe = await world.universe(visibility=visibility, publicMode="edit")
    if not is_public:
        await attempt.lets_in(universe, user)
    owner = await attempt.owner(universe)
    client = await attempt.client()
    await client.comes()
    since = len(client.listener.heard)
    lead_s = attempt.chance.uniform(-WITHIN_S, WITHIN_S)

    async def changes() -> None:
        await asyncio.sleep(max(0, lead_s))
        url = f"/universes/{universe}{path.format(user=user)}"
        status, answer = await world.call(method, url, "owner", body)
        assert status in {200, 204}, answer

    async def joins() -> None:
        await asyncio.sleep(max(0, -lead_s))
        await client.asks("join_room", {"universeId": universe, "mode": "edit"})

    def told() -> list[str]:
        return [
            name
            for name, data in client.listener.heard[since:]
            if name in {"room_joined", "room_error"} and data["universeId"] == universe
        ]

    await asyncio.gather(changes(), joins())
    if is_deletion:
        await owner.hears("room_error", universeId=universe)
    else:
        # It comes after the change, over the same gateway.
        moved = await owner.asks("update_physics", universeId=universe, parameters={"gravity": 1})
        await owner.hears("physics_updated", universeId=universe, seq=moved["seq"])
    relayed = await client.asks("audio_analysis", {"universeId": universe, "analysis": ANALYSIS})
    if relayed["ok"]:
        return "its audio_analysis is relayed"
    if is_downgrade:
        return None
    if not await attempt.comes_true(client, lambda: told()[-1:] == ["room_error"]):
        return "it was not told that it is out"
    if client.listener.all_heard("physics_updated"):
        return "it still hears"
    return None
