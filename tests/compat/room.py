"""What people do with a product, whichever versions its processes are of."""

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from harness.client import Client
from harness.operator import harmonic
from harness.wire import Wire
from harness.world import World
from integration.test_damage import surely
from peers.test_moving import upgraded
from peers.turns import turn_taker

ANALYSIS = {"frequencies": [-20.5, 0], "waveform": [0.1, -0.1], "timestamp": "2024-03-21T10:30:00Z"}


async def commands(world: World, universe: str, ann: Client, bob: Client) -> None:
    """Two users at different gateways do everything that there is, and hear one another."""
    for name, values in (
        ("physics", {"gravity": 3.5}),
        ("music", {"tempo": 91}),
        ("visualization", {"particleCount": 123}),
    ):
        ack = await ann.asks(f"update_{name}", universeId=universe, parameters=values)
        assert ack["ok"], ack
        heard = await bob.hears(f"{name}_updated", seq=ack["seq"])
        assert values.items() <= heard["parameters"].items()
    batch = {"physics": {"friction": 0.25}, "music": {"tempo": 92}}
    ack = await bob.asks("update_parameters", universeId=universe, **batch)
    assert ack["ok"], ack
    await ann.hears_up_to(ack["seq"])
    ack = await bob.asks("audio_analysis", universeId=universe, analysis=ANALYSIS)
    assert ack["ok"], ack
    assert (await ann.hears("audio_analyzed"))["analysis"] == ANALYSIS
    ack = await ann.asks("generate_music", universeId=universe, duration=2)
    assert ack["ok"], ack
    piece = await bob.hears("music_generated")
    path = f"/universes/{universe}/music/{piece['requestId']}.mid"
    for gateway in range(len(world.stack.urls)):
        status, file = await world.call("GET", path, "ann", gateway=gateway)
        assert (status, file[:4]) == (200, b"MThd")


async def newer(world: World, universe: str, ann: Client, bob: Client) -> None:
    """What one version says and the other does not know is passed over, and heard where it is.

    Settings are changed, and both show something of themselves; a newcomer enters.
    """
    shown = []
    for client, other in ((ann, bob), (bob, ann)):
        state = {"user": client.user}
        ack = await client.asks("update_presence", universeId=universe, state=state)
        if ack["ok"]:
            shown.append((client, other))
        else:
            assert ack["error"]["details"]["reason"] == "UNKNOWN_EVENT", ack
    if len(shown) == 2:
        for client, other in shown:
            await other.hears("presence_updated", userId=client.user)
    for gateway in range(len(world.stack.urls)):
        newcomer = await world.client(world.name("new"), gateway=gateway)
        await newcomer.joins(universe)
        name = world.name("Renamed")
        changed = await world.call(
            "PATCH", f"/universes/{universe}", "owner", {"name": name}, gateway=gateway
        )
        assert (changed[0], changed[1]["name"]) == (200, name)
        ack = await newcomer.asks(
            "update_physics", universeId=universe, parameters={"gravity": 2 + gateway}
        )
        assert ack["ok"], ack
        for client in (ann, bob, newcomer):
            heard = await client.hears("physics_updated", seq=ack["seq"])
            assert heard["parameters"]["gravity"] == 2 + gateway


async def erasure(world: World, universe: str, ann: str, bob: Client) -> None:
    """A user is erased, if the universe's owner knows how; the room goes on, at each gateway.

    Operators do so where all replicas are of this version: here, others read what was stored.
    """
    seq = await surely(bob, universe, 1)
    ran = await harmonic(world.stack, "erase", ann, "--json")
    done = {each["universe"]: each for each in json.loads(ran.output)["universes"]}
    is_done = universe in done and done[universe]["failure"] is None
    after = await surely(bob, universe, 2)
    # The user has left; where it was erased, the room was told so.
    assert after == seq + (3 if is_done else 2)
    for gateway in range(len(world.stack.urls)):
        newcomer = await world.client(world.name("new"), gateway=gateway)
        await newcomer.joins(universe)
        last = await surely(newcomer, universe, 3 + gateway)
        assert last == after + 2 * (gateway + 1)
        heard = await bob.hears("physics_updated", seq=last)
        assert heard["parameters"]["gravity"] == 3 + gateway


async def returns(world: World, universe: str, ann: Client) -> None:
    """A client that is cut off comes back by the other gateway, and back again; nothing is lost."""
    away = await Wire.open(world, world.name("cem"))
    await away.joins(universe)
    for gateway in (1, 0):
        seen = await surely(ann, universe, 5 + gateway)
        while (await away.until("physics_updated"))[-1][1]["seq"] != seen:
            pass
        away.cut()
        missed = [await surely(ann, universe, gravity) for gravity in (7 + gateway, 9 + gateway)]
        away = await away.again(world, gateway=gateway)
        assert away.recovered
        told = await away.until("state_recovered")
        again = [data["seq"] for _, data in told if data.get("replayed")]
        assert again == missed
    await away.says_goodbye(41)


async def takes_turns(world: World, universe: str) -> None:
    """A client polls at both gateways in turn, and goes over to a WebSocket at each of them."""
    for at in (0, 1):
        async with turn_taker(world.stack.urls) as dan:
            await dan.connects(world.token(world.name("dan")))
            join = {"universeId": universe, "mode": "edit"}
            await dan.emits("join_room", join, ack="1")
            await dan.until("43/ws,1")
            async with upgraded(dan, world.stack.urls[at]) as over:
                update = {"universeId": universe, "parameters": {"gravity": 4 + at}}
                await over.websocket.send_str("42/ws,2" + json.dumps(["update_physics", update]))
                assert '"ok":true' in await over.until("43/ws,2")


@dataclass
class Memory:
    """What universes hold by what their users were told; ``opened`` are users at each gateway."""

    world: World
    universes: list[str] = field(default_factory=list)
    seqs: dict[str, int] = field(default_factory=dict)
    gravity: float = 0.0

    async def make(self, number: int) -> None:
        """Public universes, one of them with a member of its own."""
        self.universes = [await self.world.universe() for _ in range(number)]
        path = f"/universes/{self.universes[0]}/members/guest"
        status, answer = await self.world.call("PUT", path, "owner", {"role": "view"})
        assert status == 200, answer

    async def write(self, times: int) -> None:
        """Write to each through one gateway and the other in turn; a snapshot's worth of it."""
        for number, universe in enumerate(self.universes):
            gateway = number % len(self.world.stack.urls)
            client = await self.world.client(self.world.name("eve"), gateway=gateway)
            await client.joins(universe)
            for _ in range(times):
                self.gravity = (self.gravity + 0.25) % 20
                ack = await client.asks(
                    "update_physics", universeId=universe, parameters={"gravity": self.gravity}
                )
                assert ack["ok"], ack
                # Numbers go on where they ended, whoever gives them.
                assert ack["seq"] > self.seqs.get(universe, 0)
                self.seqs[universe] = ack["seq"]
            heard = await client.hears_up_to(self.seqs[universe])
            assert heard["parameters"]["gravity"] == self.gravity
            described = await self.described(universe, gateway)
            assert described["parameters"]["physics"]["gravity"] == self.gravity
            await client.close()

    async def is_kept(self, known: dict[str, Any]) -> None:
        """All is as it was described before, to each gateway."""
        for universe, before in known.items():
            for gateway in range(len(self.world.stack.urls)):
                now = await self.described(universe, gateway)
                # A version may show more than the other.
                shown = now.keys() & before.keys()
                assert settled(now, shown) == settled(before, shown)
                assert now["seq"] >= before["seq"]

    async def description(self) -> dict[str, Any]:
        """Each universe, as its owner is shown it."""
        return {universe: await self.described(universe, 0) for universe in self.universes}

    async def described(self, universe: str, gateway: int) -> dict[str, Any]:
        status, found = await self.world.call(
            "GET", f"/universes/{universe}", "owner", gateway=gateway
        )
        assert status == 200, found
        return dict(found)


def settled(described: dict[str, Any], shown: AbstractSet[str]) -> dict[str, Any]:
    """Of what is ``shown``, that which those who leave do not change."""
    leaving = {"seq", "updatedAt", "participants"}
    return {name: described[name] for name in shown - leaving}
