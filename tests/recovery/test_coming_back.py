"""Official clients behind a balancer lose nothing, whatever happens on the way to them."""

import asyncio
from collections import Counter
from http import HTTPStatus
from pathlib import Path

import aiohttp

from harness.client import PATIENCE_S
from harness.faults import down, frozen
from recovery.checker import Verdict, check, read_notes
from recovery.crowds import crowd
from recovery.cuts import Cutter
from recovery.proxy import Direction, Kind, Link, Loss
from recovery.python_members import PythonMember
from recovery.scene import DEFAULT, QUICK, WEBSOCKET, Cast, Outcome, Scene, scene

CALM_TIMEOUT_S = 30.0
#: A client that still polls is between two polls for less than so many looks.
LOOKS_IN_A_ROW, LOOK_INTERVAL_S = 4, 0.05


def assert_at_least_once(verdict: Verdict) -> None:
    assert verdict.counts["missing"] == 0, verdict.examples
    assert verdict.counts["unknown"] == 0, verdict.examples


def assert_good(outcome: Outcome) -> None:
    assert outcome.is_good, str(outcome)


async def all_gone_over(playing: Scene, members: int) -> None:
    """Return when all are on WebSockets: one that polls may have no connection to be cut."""
    looks = 0
    async with asyncio.timeout(CALM_TIMEOUT_S):
        while looks < LOOKS_IN_A_ROW:
            await asyncio.sleep(LOOK_INTERVAL_S)
            kinds = [link.kind for link in playing.proxy.links]
            calm = len(kinds) == members and {Kind.UPGRADE, Kind.WEBSOCKET}.issuperset(kinds)
            looks = looks + 1 if calm else 0


async def cut_all(playing: Scene) -> None:
    """Cut all connections, now, and return when all members are back."""
    before = await playing.members.connects()
    await all_gone_over(playing, len(before))
    for link in list(playing.proxy.links):
        link.lose(Loss.CUT, Direction.DOWN, 1)
        link.lose_now()
    await playing.members.all_there(CALM_TIMEOUT_S, beyond=before)


async def test_random_cuts_lose_and_double_nothing(tmp_path: Path) -> None:
    cast = Cast(rooms=3, members=24, updates_per_s=30, options=QUICK, linger_s=1.0)
    async with scene(tmp_path, cast) as playing:
        cutter = Cutter(playing.proxy, playing.chance, cuts_per_s=40, limit=100)
        await cutter.work()
        outcome = await playing.end()
    assert_good(outcome)
    assert all(back.recovered for back in outcome.returns), str(outcome)
    assert {Kind.WEBSOCKET, Kind.UPGRADE, Kind.POLL, *Loss, *Direction} <= cutter.counts.keys()


async def test_cuts_behind_plain_round_robin_lose_and_double_nothing(tmp_path: Path) -> None:
    cast = Cast(rooms=3, members=24, updates_per_s=30, options=QUICK, linger_s=1.0, plain=True)
    async with scene(tmp_path, cast) as playing:
        cutter = Cutter(playing.proxy, playing.chance, cuts_per_s=40, limit=100)
        await cutter.work()
        outcome = await playing.end()
    assert_good(outcome)
    assert all(back.recovered for back in outcome.returns), str(outcome)


async def test_gateways_and_owners_that_go_lose_nobody_anything(tmp_path: Path) -> None:
    cast = Cast(rooms=3, members=18, updates_per_s=30, states=2, musics=0)
    async with scene(tmp_path, cast) as playing:
        stack = playing.stack
        async with down(stack.gateways[2]):
            await playing.members.all_there(CALM_TIMEOUT_S, beyond={})
        for process in (stack.gateways[0], *stack.states):
            await process.stop()
            await process.start()
        outcome = await playing.end()
    assert_good(outcome)
    assert outcome.returns
    assert all(back.recovered for back in outcome.returns), str(outcome)


async def test_after_the_window_a_client_begins_anew(tmp_path: Path) -> None:
    cast = Cast(
        rooms=1,
        members=3,
        updates_per_s=20,
        gateways=1,
        musics=0,
        transports=(WEBSOCKET,),
        options={
            **QUICK,
            "reconnectionDelay": 1500,
            "reconnectionDelayMax": 1500,
            "randomizationFactor": 0,
        },
        settings={"HARMONIC_RECOVERY_WINDOW_S": "0.5"},
    )
    await begins_anew(tmp_path, cast)


async def test_what_the_log_does_not_hold_any_more_lets_a_client_begin_anew(
    tmp_path: Path,
) -> None:
    cast = Cast(
        rooms=1,
        members=3,
        updates_per_s=60,
        gateways=1,
        musics=0,
        transports=(WEBSOCKET,),
        options={
            **QUICK,
            "reconnectionDelay": 2500,
            "reconnectionDelayMax": 2500,
            "randomizationFactor": 0,
        },
        settings={
            "HARMONIC_SNAPSHOT_EVERY_RECORDS": "4",
            "HARMONIC_HISTORY_SNAPSHOTS": "2",
            "HARMONIC_RING_BYTES": "1024",
        },
    )
    await begins_anew(tmp_path, cast)


async def begins_anew(tmp_path: Path, cast: Cast) -> None:
    """Members that were cut off are told all there is, and nothing of what they missed."""
    async with scene(tmp_path, cast) as playing:
        pids = await playing.members.pids()
        await cut_all(playing)
        new = await playing.members.pids()
        outcome = await playing.end()
    assert [back.recovered for back in outcome.returns] == [False] * cast.members
    assert all(new[name] not in (None, pids[name]) for name in pids)
    assert [*outcome.late, *outcome.stale, *outcome.errors] == []


async def test_client_3_is_brought_back_without_its_doing(tmp_path: Path) -> None:
    cast = Cast(
        rooms=2,
        members=8,
        updates_per_s=20,
        gateways=2,
        musics=0,
        transports=(DEFAULT, WEBSOCKET),
        version="3.1.3",
        rejoins=False,
        options=QUICK,
    )
    async with scene(tmp_path, cast) as playing:
        for _ in range(2):
            await cut_all(playing)
        outcome = await playing.end()
    assert [*outcome.late, *outcome.stale, *outcome.errors] == []
    assert_at_least_once(outcome.verdict)
    assert outcome.verdict.counts["sent"]


async def test_python_clients_are_brought_back_without_their_doing(tmp_path: Path) -> None:
    cast = Cast(rooms=1, members=0, updates_per_s=20, gateways=2, musics=0)
    async with scene(tmp_path, cast) as playing:
        (universe,) = playing.universes
        members = [
            PythonMember(user, playing.world.token(user), universe)
            for user in ("ann", "ben", "cid")
        ]
        for member in members:
            await member.comes(playing.proxy.url)
        for _ in range(2):
            for link in list(playing.proxy.links):
                link.lose(Loss.CUT, Direction.DOWN, 1)
                link.lose_now()
            for member in members:
                await member.is_back()
        logs = await playing.settle()
        for member in members:
            await member.comes_to(logs[universe][-1].seq)
            seen = read_notes(member.user, member.notes)
            verdict = check(logs, seen.stays)
            assert not seen.errors, seen.errors
            assert_at_least_once(verdict)
            assert len(seen.stays) == 1
            assert member.values == await playing.fresh(universe)
            await member.goes()


async def test_a_herd_is_taken_in_by_turns_and_nobody_is_lost(tmp_path: Path) -> None:
    async with crowd(tmp_path, gateways=1, rooms=4, room_size=140) as everybody:
        stack, http = everybody.world.stack, everybody.world.http
        (port,) = stack.gateway_ports
        with frozen(*stack.states):
            for client in everybody.clients:
                client.cut()
            coming = [asyncio.create_task(client.keep_trying(port)) for client in everybody.clients]
            await is_refused(http, f"{stack.urls[0]}/socket.io/?EIO=4&transport=polling")
        assert all(await asyncio.gather(*coming))
        assert all(client.recovered for client in everybody.clients)


async def is_refused(http: aiohttp.ClientSession, url: str) -> None:
    """Return when whoever knocks is asked to come later."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with http.get(url) as response:
                if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
                    assert response.headers["Retry-After"]
                    return


async def test_an_upgrade_that_stalls_shuts_nobody_out(tmp_path: Path) -> None:
    cast = Cast(rooms=1, members=0, updates_per_s=10, gateways=1, musics=0, linger_s=30)
    async with scene(tmp_path, cast) as playing:
        kinds: Counter[Kind] = Counter()

        def meet(link: Link) -> None:
            kinds[link.kind] += 1
            if link.kind is Kind.UPGRADE:
                # The answer to the upgrade's request gets through, and nothing after it.
                link.lose(Loss.HANG, Direction.DOWN, 140)

        playing.proxy.on_link = meet
        await playing.members.open(playing._member(0))
        (universe,) = playing.universes
        assert await playing.members.wait_for({universe: 20}, 8.0) == []
        assert kinds[Kind.UPGRADE] == 1
        assert kinds[Kind.POLL] < 200
