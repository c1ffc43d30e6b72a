"""What the clients of one user missed, and may be owed at once."""

from pathlib import Path

import aiohttp

from harmonic_gateway.sockets.limits import MAX_OWED_BYTES
from harness.wire import Wire
from harness.world import World, started

#: Less than the events of so many updates hold.
MOST_BYTES, UPDATES = 2048, 20


async def test_a_client_that_missed_more_than_may_be_owed_begins_anew(logs: Path) -> None:
    assert MOST_BYTES < MAX_OWED_BYTES
    async with (
        started(logs, gateways=1, musics=0, HARMONIC_OWED_BYTES_PER_USER=str(MOST_BYTES)) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe, (writer,) = await world.together("writer")

        async def returns_after(user: str, updates: int) -> tuple[bool, bool]:
            """Whether a client recovers that was away for so many updates."""
            ann = await Wire.open(world, user)
            await ann.joins(universe)
            ann.cut()
            for number in range(updates):
                ack = await writer.asks(
                    "update_physics", universeId=universe, parameters={"gravity": number % 20}
                )
                assert ack["ok"], ack
            back = await Wire.open(world, user, pid=ann.pid, offset=ann.offset)
            told = (await back.until("state_recovered"))[-1][1]
            back.cut()
            return back.recovered, told["recovered"]

        assert await returns_after("ann", UPDATES) == (False, False)
        assert await world.metric('owed_refusals_total{outcome="never"}') == 1
        # Another one that missed less is sent all of it.
        assert await returns_after("bob", 1) == (True, True)
        assert await world.metric("owed_bytes") <= MOST_BYTES
        await world.close()
