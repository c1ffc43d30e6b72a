"""``harmonic audit``: what operators did, and all that was done in universes."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from harmonic_protocol import subjects
from harmonic_runtime.bus.jetstream import call
from harness.broker import connected_as
from harness.operator import harmonic
from harness.world import World, started


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A product of this module's own, of which the audit log is known from its beginning."""
    async with (
        started(tmp_path_factory.mktemp("audited"), gateways=1, musics=0) as stack,
        aiohttp.ClientSession() as http,
    ):
        made = World(stack, http)
        yield made
        await made.close()


async def audit(world: World, *options: str) -> list[tuple[str, str | None, str | None]]:
    ran = await harmonic(world.stack, "audit", "--json", *options)
    assert ran.status == 0, ran.errors
    return [
        (each["action"], each.get("universeId"), each.get("target")) for each in ran.json["entries"]
    ]


async def test_verbs_of_operators_are_told_and_found_by_universe_and_user(world: World) -> None:
    ann, bob = world.name("ann"), world.name("bob")
    universe, _ = await world.together("owner", ann)
    other = await world.universe(bob)
    assert (await world.call("PUT", f"/universes/{other}/bans/{ann}", bob))[0] == 204
    for command in (
        ("kick", universe, ann),
        ("revoke", "--user", ann),
        ("revoke", "--jti", "a-token"),
        ("switch", "audio", "off"),
        ("switch", "audio", "on"),
        ("drain", "gateway-1", "--force", "--over", "0"),
        ("drain", "gateway-1", "--undo"),
    ):
        ran = await harmonic(world.stack, *command, HARMONIC_OPERATOR_NAME="ops-7")
        assert ran.status == 0, ran.errors

    assert (await audit(world))[-8:] == [
        ("ban_user", other, ann),
        ("remove_user", universe, ann),
        ("revoke", None, ann),
        ("revoke", None, None),
        *(("switch", None, None) for _ in range(2)),
        *(("drain", None, None) for _ in range(2)),
    ]
    assert await audit(world, "--universe", universe) == [("remove_user", universe, ann)]
    assert await audit(world, "--user", bob) == [("ban_user", other, ann)]
    assert await audit(world, "--user", ann, "--universe", other) == [("ban_user", other, ann)]
    assert len(await audit(world, "--user", ann)) == 3
    assert await audit(world, "--number", "1") == [("drain", None, None)]
    shown = (await harmonic(world.stack, "audit", "--user", ann)).output
    assert "ops-7 (operator)" in shown
    ran = await harmonic(world.stack, "audit", "--json", "--number", "1")
    assert ran.json["entries"][0]["details"] == {"gateway": "gateway-1", "undo": True}


async def test_nothing_names_an_erased_user(world: World) -> None:
    ann = world.name("ann")
    universe = await world.universe("owner")
    path = f"/universes/{universe}"
    assert (await world.call("PUT", f"{path}/members/{ann}", "owner", {"role": "edit"}))[0] == 200
    assert (await harmonic(world.stack, "kick", universe, ann)).status == 1
    assert (await world.call("PATCH", path, "owner", {"name": "Later"}))[0] == 200
    assert await audit(world, "--user", ann) == [("set_member", universe, ann)]

    assert (await harmonic(world.stack, "erase", ann)).status == 0

    assert await audit(world, "--user", ann) == []
    assert await audit(world, "--universe", universe) == [
        ("update_universe", universe, None),
        ("erase_user", universe, None),
    ]
    assert ("erase", None, None) in await audit(world)
    async with connected_as("admin", world.stack) as bus:
        stored = await call(bus, f"STREAM.INFO.{subjects.AUDIT_STREAM}", {"subjects_filter": ">"})
    assert subjects.audience_of(ann) not in str(stored)


async def test_what_is_done_and_cannot_be_told_is_said(world: World) -> None:
    async with connected_as("admin", world.stack) as bus:
        # Nothing is stored of a subject that no stream keeps.
        info = await call(bus, f"STREAM.INFO.{subjects.AUDIT_STREAM}", {})
        kept = {**info["config"], "subjects": ["hu.audit.universe.*.*.*"]}
        await call(bus, f"STREAM.UPDATE.{subjects.AUDIT_STREAM}", kept)
        try:
            ran = await harmonic(world.stack, "revoke", "--user", world.name("eve"))
        finally:
            await call(bus, f"STREAM.UPDATE.{subjects.AUDIT_STREAM}", info["config"])
        assert ran.status == 1
        assert "It was done, but the audit log does not tell" in ran.errors
