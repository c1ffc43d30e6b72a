"""Turns of clients that have much to say."""

import asyncio

import pytest

from harmonic_gateway.sockets import turns as module
from harmonic_gateway.sockets.turns import Stretch, Turns


class Passes:
    """Counts the passes of the event loop, and keeps it busy with that."""

    def __init__(self) -> None:
        self.count = 0
        self._next = asyncio.get_running_loop().call_soon(self._pass)

    def _pass(self) -> None:
        self.count += 1
        self._next = asyncio.get_running_loop().call_soon(self._pass)

    def stop(self) -> None:
        self._next.cancel()


async def test_one_client_goes_on_in_each_pass_in_the_order_in_which_they_began_to_wait() -> None:
    turns, passes = Turns(), Passes()
    went: list[tuple[str, int]] = []

    async def client(name: str) -> None:
        for _ in range(2):
            await turns.next()
            went.append((name, passes.count))

    await asyncio.gather(*map(client, "abc"))
    passes.stop()
    assert [name for name, _ in went] == list("abcabc")
    assert len({count for _, count in went}) == len(went)


async def test_a_client_that_is_gone_keeps_nobody_waiting() -> None:
    turns = Turns()
    gone, other = (asyncio.ensure_future(turns.next()) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await other
    # And who comes later is given a turn, too.
    await turns.next()


async def test_a_client_waits_for_others_only_where_it_has_said_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passes = Passes()
    stretch = Stretch(Turns())
    monkeypatch.setattr(module, "STRETCH_S", 3600.0)
    await stretch.go_on()
    assert passes.count == 0
    monkeypatch.setattr(module, "STRETCH_S", -1.0)
    await stretch.go_on()
    passes.stop()
    assert passes.count > 0
