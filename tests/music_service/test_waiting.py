"""Universes take turns, and the queue has an end."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonic_music.waiting import Waiting


async def filled(*universes: str, most: int = 100) -> Waiting[str]:
    waiting: Waiting[str] = Waiting(most)
    for number, universe in enumerate(universes):
        await waiting.add(universe, f"{universe}{number}")
    return waiting


async def taken(waiting: Waiting[str]) -> list[str]:
    return [await waiting.take() for _ in range(len(waiting))]


async def test_a_universe_with_many_jobs_waits_for_the_others() -> None:
    assert await taken(await filled(*"aaaabbc")) == ["a0", "b4", "c6", "a1", "b5", "a2", "a3"]


@given(st.text("abcd", max_size=40))
def test_no_job_waits_for_two_of_another_universe(universes: str) -> None:
    order = asyncio.run(_all_taken(universes))
    for universe in set(universes):
        own = [place for place, job in enumerate(order) if job[0] == universe]
        for before, after in zip([-1, *own], own, strict=False):
            others = [job[0] for job in order[before + 1 : after]]
            assert len(others) == len(set(others))


async def _all_taken(universes: str) -> list[str]:
    return await taken(await filled(*universes))


async def test_who_takes_waits_for_a_job() -> None:
    waiting = await filled()
    taking = asyncio.create_task(waiting.take())
    await waiting.add("a", "job")
    assert await taking == "job"


async def test_there_is_no_room_until_one_is_taken() -> None:
    waiting = await filled("a", "a", most=2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await waiting.room()
    await waiting.take()
    await waiting.room()
