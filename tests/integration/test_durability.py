"""What was acknowledged is there, whoever dies; and nobody has to connect again."""

import asyncio
from typing import Any

import pytest

from harness.client import Client
from harness.faults import down
from harness.world import World


class Storm:
    """Writers that go on until they are told to stop, as careful clients do.

    What is not acknowledged is sent again, with the same ``opId``, once the time is over that
    the error named.
    """

    def __init__(self, world: World, universe: str, members: list[Client]) -> None:
        self._world = world
        self._universe = universe
        self._members = members
        self._enough = asyncio.Event()
        self._writing = [asyncio.create_task(self._write(member)) for member in members]

    async def goes_on(self) -> None:
        """Some more updates have come to everybody."""
        for member in self._members:
            known = member.all_heard("music_updated")
            await member.hears_up_to((known[-1]["seq"] if known else len(self._members)) + 20)

    async def ends_well(self) -> None:
        """Everybody was sent each update once, in one order, over the connection of old."""
        self._enough.set()
        acknowledged = sorted(seq for seqs in await asyncio.gather(*self._writing) for seq in seqs)
        assert acknowledged == list(range(acknowledged[0], acknowledged[-1] + 1))
        for member in self._members:
            await member.hears_up_to(acknowledged[-1])
            heard = member.all_heard("music_updated")
            assert [event["seq"] for event in heard] == acknowledged
            assert not member.gone.is_set()
        late = await self._world.client("late")
        seen = (await late.joins(self._universe))["parameters"]["music"]
        assert seen == self._members[0].all_heard("music_updated")[-1]["parameters"]

    async def _write(self, member: Client) -> list[int]:
        seqs: list[int] = []
        while not self._enough.is_set():
            number = len(seqs)
            seqs.append(
                await surely(
                    member,
                    "update_music",
                    universeId=self._universe,
                    opId=f"op-{number}",
                    parameters={"tempo": 40 + number % 160},
                )
            )
        return seqs


async def surely(client: Client, event: str, **fields: Any) -> int:
    """The ``seq`` of a command that is sent again until it is carried out."""
    while not (ack := await client.asks(event, **fields))["ok"]:
        assert ack["error"]["code"] == "INTERNAL_ERROR", ack
        await asyncio.sleep(ack["error"]["details"]["retryAfterMs"] / 1000)
    return int(ack["seq"])


async def test_an_acknowledged_update_survives_the_death_of_all_state_replicas(
    frail: World,
) -> None:
    universe, (ann, _) = await frail.together("ann", "bob")
    assert (await ann.asks("update_physics", universeId=universe, parameters={"gravity": 1}))["ok"]

    async with down(*frail.stack.states):
        pass

    late = await frail.client("late")
    joined = await late.joins(universe)
    assert joined["parameters"]["physics"]["gravity"] == 1
    assert [person["userId"] for person in joined["participants"]] == ["ann", "bob", "late"]


async def test_without_a_state_replica_commands_fail_for_the_moment_only(frail: World) -> None:
    universe, (ann, bob) = await frail.together("ann", "bob")
    change = {"universeId": universe, "opId": "op-1", "parameters": {"gravity": 1}}

    async with down(*frail.stack.states):
        refusal, answer = await asyncio.gather(
            ann.asks("update_physics", **change), frail.call("GET", "/universes", "ann")
        )
        error = await ann.hears_next("error")

    assert refusal == {"ok": False, "error": error}
    assert error["code"] == "INTERNAL_ERROR"
    assert error["details"]["retryAfterMs"] > 0
    status, body = answer
    assert status == 503
    assert body["error"]["details"]["retryAfterMs"] > 0
    # The same command again, and it is carried out: once.
    assert await surely(ann, "update_physics", **change) == 3
    await bob.hears_next("physics_updated", seq=3)
    assert not ann.gone.is_set()


async def test_updates_go_on_while_state_replicas_die_in_turn(frail: World) -> None:
    universe, members = await frail.together("ann", "bob", "cem", "dan")
    storm = Storm(frail, universe, members)

    for replica in frail.stack.states:
        await storm.goes_on()
        async with down(replica):
            await storm.goes_on()

    await storm.ends_well()


async def test_updates_go_on_once_a_state_replica_is_back(frail: World) -> None:
    universe, members = await frail.together("ann", "bob", "cem", "dan")
    storm = Storm(frail, universe, members)
    await storm.goes_on()

    async with down(*frail.stack.states):
        pass

    await storm.goes_on()
    await storm.ends_well()


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_updates_go_on_after_a_restart_of_the_broker(frail: World, end: str) -> None:
    universe, members = await frail.together("ann", "bob", "cem", "dan")
    storm = Storm(frail, universe, members)
    await storm.goes_on()

    broker = frail.stack.brokers[0]
    if end == "stop":
        await broker.stop()
        await broker.start()
    else:
        async with down(broker):
            pass

    await storm.goes_on()
    await storm.ends_well()


async def test_a_gateway_starts_after_a_restart_of_a_lone_broker(frail: World) -> None:
    # What is kept in memory, the counts of what users did, went with it.
    async with down(frail.stack.brokers[0]):
        pass
    async with down(frail.stack.gateways[1]):
        pass
    universe = await frail.universe()
    cem = await frail.client("cem", gateway=1)
    await cem.joins(universe)
    answer = await cem.asks("update_physics", universeId=universe, parameters={"gravity": 3})
    assert answer["ok"], answer


async def test_without_the_broker_new_clients_are_asked_to_come_later(frail: World) -> None:
    url = frail.stack.urls[0]
    universe, (ann, bob) = await frail.together("ann", "bob")

    async with down(frail.stack.brokers[0]):
        handshake = await _eventually(frail, f"{url}/socket.io/?EIO=4&transport=polling", 503)
        status, body = await frail.call("GET", f"/universes/{universe}", "ann")
        ready = await _eventually(frail, f"{url}/readyz", 200)

    assert "Retry-After" in handshake
    assert status == 503
    assert body["error"]["code"] == "INTERNAL_ERROR"
    # It is no reason to leave the load balancer: all replicas would at once.
    assert ready
    await surely(ann, "update_physics", universeId=universe, parameters={"gravity": 1})
    await bob.hears("physics_updated")
    assert not ann.gone.is_set()
    assert not bob.gone.is_set()


async def test_a_gateways_clients_find_everything_at_another(frail: World) -> None:
    universe, (_, bob) = await frail.together("ann", "bob")
    assert (await bob.asks("update_physics", universeId=universe, parameters={"gravity": 1}))["ok"]

    async with down(frail.stack.gateways[1]):
        await bob.gone.wait()
        back = await frail.client("bob")
        joined = await back.joins(universe)

    assert joined["parameters"]["physics"]["gravity"] == 1
    assert joined["seq"] == 3


async def _eventually(world: World, url: str, status: int) -> Any:
    """The headers of the first answer with that status."""
    async with asyncio.timeout(10):
        while True:
            async with world.http.get(url) as response:
                if response.status == status:
                    return response.headers
            await asyncio.sleep(0.05)
