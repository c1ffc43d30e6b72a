"""Services of an earlier version beside those of this one, on the same streams, both ways."""

import subprocess
import tarfile
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

import aiohttp
import pytest

from harmonic_local.stack import Stack, program
from harness.faults import down
from harness.wire import Wire
from harness.world import World, started
from integration.test_damage import joined_anew, surely

ROOT = Path(__file__).parents[2]
#: The last commit whose stored forms this version has changed.
EARLIER = "6365eddd76ee3d5bcf4a5f85ed89460bc882e769"
#: The last one whose services' requests to one another it has.
LATER = "40d2c04ff51c69dd4fabd27a0821702e88f567b6"
PACKAGES = ("shared", "gateway", "state-service", "music-service")
#: Where the code of a commit is.
CodeOf: TypeAlias = Callable[[str], Path]


@pytest.fixture(scope="module")
def code_of(tmp_path_factory: pytest.TempPathFactory) -> CodeOf:
    """Unpacks the code of a commit, once."""

    @cache
    def unpacked(commit: str) -> Path:
        archive = subprocess.run(
            ["git", "-C", str(ROOT), "archive", commit, *PACKAGES], capture_output=True, check=False
        )
        if archive.returncode:
            pytest.skip("the clone does not hold the earlier version")
        folder = tmp_path_factory.mktemp("earlier")
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        return folder

    return unpacked


def run_by(old: Path, *names: str) -> Callable[[str, str], Sequence[str]]:
    """Runs the processes of these names with the earlier code."""
    path = ":".join(str(old / package) for package in PACKAGES)

    def command(name: str, module: str) -> Sequence[str]:
        if name not in names:
            return program(name, module)
        inbox = f"_INBOX.{name.partition('-')[0]}"
        environment = (f"PYTHONPATH={path}", f"HARMONIC_NATS_INBOX_PREFIX={inbox}")
        return ["env", *environment, *program(name, module)]

    return command


@pytest.fixture(
    params=[
        (EARLIER, "state-2", "gateway-2"),
        (EARLIER, "state-2"),
        (EARLIER, "gateway-2", "music-1"),
        (LATER, "state-2", "gateway-2"),
    ],
    ids=lambda mixture: " and ".join((mixture[0][:7], *mixture[1:])),
)
async def mixed(
    request: pytest.FixtureRequest, code_of: CodeOf, tmp_path: Path
) -> AsyncIterator[Stack]:
    commit, *names = request.param
    async with started(
        tmp_path / "mixed",
        states=2,
        command=run_by(code_of(commit), *names),
        HARMONIC_SNAPSHOT_EVERY_RECORDS="5",
        HARMONIC_REQUEST_TIMEOUT_S="1.5",
    ) as running:
        yield running


async def test_two_versions_serve_the_same_universes(mixed: Stack) -> None:
    async with aiohttp.ClientSession() as http:
        world = World(mixed, http)
        # Several, so that each replica owns some.
        universes = [await world.universe() for _ in range(4)]
        for universe in universes:
            _, (ann, bob) = await world.together("ann", "bob", universe=universe)
            last = 0
            for gravity in range(8):
                last = await surely((ann, bob)[gravity % 2], universe, gravity)
            for replica in mixed.states:
                async with down(replica):
                    # The other version goes on, and knows what was done.
                    assert await surely(bob, universe, 7) == last
                    await surely(ann, universe, 9 + mixed.states.index(replica))
                    last = await surely(bob, universe, 7)
            after = await surely(ann, universe, 15)
            heard = await bob.hears_up_to(after)
            assert heard["parameters"]["gravity"] == 15
            ack = await ann.asks("generate_music", universeId=universe, duration=1)
            assert ack["ok"], ack
            await bob.hears("music_generated")
            for gateway in (0, 1):
                late = await joined_anew(world, "late", universe, gateway=gateway)
                await late.close()
            await ann.close()
            await bob.close()
        await world.close()


@pytest.mark.parametrize("way", [(0, 1), (1, 0)], ids=["to the earlier", "from the earlier"])
async def test_offsets_of_either_version_are_understood_by_the_other(
    code_of: CodeOf, tmp_path: Path, way: tuple[int, int]
) -> None:
    command = run_by(code_of(EARLIER), "gateway-2")
    async with (
        started(tmp_path / "offsets", command=command) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe, (ann,) = await world.together("ann")
        away = await Wire.open(world, "bob", gateway=way[0])
        await away.joins(universe)
        seq = await surely(ann, universe, 3)
        while (await away.until("physics_updated"))[-1][1]["seq"] != seq:
            pass
        assert str(away.offset).count(":") == (2 if way[0] == 0 else 1)
        away.cut()
        missed = [await surely(ann, universe, gravity) for gravity in (4, 5)]
        back = await away.again(world, gateway=way[1])
        assert back.recovered
        told = await back.until("state_recovered")
        again = [data for name, data in told if name == "physics_updated" and data.get("replayed")]
        assert [data["seq"] for data in again] == missed
        # And once more, with what the other version has told it.
        back.cut()
        last = await surely(ann, universe, 6)
        home = await back.again(world, gateway=way[0])
        assert home.recovered
        told = await home.until("state_recovered")
        again = [data for name, data in told if name == "physics_updated" and data.get("replayed")]
        assert [data["seq"] for data in again] == [last]
        await world.close()
