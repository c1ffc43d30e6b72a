"""Clients that go on at other gateways since an operator wants it, and lose nothing by it."""

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harmonic_operator.balancing import imbalance, shares, taken
from harness.operator import harmonic
from harness.world import World
from recovery.scene import DEFAULT, Cast, scene

MEMBERS = 30
BACK_S = 60.0


@given(st.dictionaries(st.text(min_size=1, max_size=4), st.integers(0, 5000), min_size=1))
def test_whatever_the_balancer_does_no_gateway_ends_far_above_the_mean(
    counts: dict[str, int],
) -> None:
    plan = shares(counts)
    if not plan:
        assert imbalance(counts) <= 1.1
        return
    kept = {name: counts[name] - share.clients for name, share in plan.items()}
    moved = sum(share.clients for share in plan.values())
    room = sum(max(0, share.most - kept[name]) for name, share in plan.items())
    assert room >= moved
    mean = sum(counts.values()) / len(counts)
    assert max(share.most for share in plan.values()) == math.ceil(1.05 * mean)
    # Whoever gives clients away takes none of them back.
    assert all(share.most <= kept[name] for name, share in plan.items() if share.clients)


def test_few_clients_are_spread_as_well_as_many() -> None:
    plan = shares({"a": 44, "b": 31, "c": 15, "d": 0})
    assert {name: share.clients for name, share in plan.items()} == {
        "a": 21,
        "b": 8,
        "c": 0,
        "d": 0,
    }
    # 1.07 times the mean: a client more than 1.05.
    assert {name: share.most for name, share in plan.items()} == {
        "a": 23,
        "b": 23,
        "c": 24,
        "d": 24,
    }


def test_nobody_is_moved_where_the_gateways_are_alike() -> None:
    assert shares({"a": 100, "b": 105, "c": 95}) == {}
    assert shares({}) == {}
    assert imbalance({"a": 0, "b": 0}) == 1.0


def test_what_other_gateways_have_taken_is_what_they_have_more() -> None:
    assert taken({"a": 100, "b": 0}, {"a": 55, "b": 40, "c": 3}) == 43
    # They went, and came to no gateway.
    assert taken({"a": 100, "b": 0}, {"a": 50, "b": 0}) == 0


async def test_drained_and_rebalanced_clients_lose_nothing_and_move_once(tmp_path: Path) -> None:
    cast = Cast(
        rooms=3, members=MEMBERS, readers=6, updates_per_s=30, gateways=3, transports=(DEFAULT,)
    )
    async with scene(tmp_path, cast) as playing:
        stack = playing.stack
        before = await playing.members.connects()

        ran = await harmonic(stack, "drain", "gateway-3", "--over", "1", "--json")
        assert (ran.status, ran.json["left"]) == (0, 0)
        moved = ran.json["clients"]
        assert moved > 0
        await playing.members.all_there(BACK_S, beyond={})
        drained = await playing.members.connects()
        # Programs that followed by server-sent events there follow elsewhere.
        assert await playing.world.metric("event_streams", gateway=2) == 0
        assert sum((drained[name] or 0) - (before[name] or 0) for name in before) <= moved
        ran = await harmonic(stack, "status", "--json")
        assert ran.status == 1
        assert "gateway gateway-3 is draining." in ran.json["problems"]

        assert (await harmonic(stack, "drain", "gateway-3", "--undo")).status == 0
        ran = await harmonic(stack, "rebalance", "--per-second", "10", "--json")
        assert ran.status == 0
        assert ran.json["imbalance"]["before"] > 1.4
        assert ran.json["imbalance"]["after"] <= 1.2, ran.json
        await playing.members.all_there(BACK_S, beyond={})
        rebalanced = await playing.members.connects()
        extra = {name: (rebalanced[name] or 0) - (drained[name] or 0) for name in drained}
        assert set(extra.values()) <= {0, 1}, extra
        # The rooms' writers are clients, too.
        assert ran.json["closed"] - len(playing.universes) <= sum(extra.values())
        assert sum(extra.values()) <= ran.json["closed"]
        counts = [ran.json[when]["gateway-3"] for when in ("before", "after")]
        assert ran.json["taken"] == counts[1] - counts[0]

        outcome = await playing.end()
    assert outcome.is_good, str(outcome)
    assert all(each.recovered for each in outcome.returns)


async def test_a_gateway_that_is_not_there_is_named_with_those_that_are(world: World) -> None:
    ran = await harmonic(world.stack, "drain", "gateway-9")
    assert ran.status == 1
    assert "there are: gateway-1, gateway-2" in ran.errors
