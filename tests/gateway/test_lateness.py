"""How long a client may take until it is in a namespace, in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from harmonic_gateway.sockets.lateness import Expectation, LateClients
from harmonic_gateway.sockets.limits import HANDSHAKE_TIMEOUT_S, LATE_TIMEOUT_S
from harness import virtual_time


class Given:
    """An expectation, and when it was given up."""

    def __init__(self, clients: LateClients, address: str = "1.2.3.4") -> None:
        self.up_at_s: list[float] = []
        self.expectation = Expectation(clients, address, self._give_up)
        self.expectation.begin()

    def _give_up(self) -> None:
        self.up_at_s.append(asyncio.get_running_loop().time())
        # As sessions do when they end.
        self.expectation.met()


def after(run: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return virtual_time.run(run())


def test_a_client_that_connects_is_not_given_up_however_late_it_is() -> None:
    async def run() -> tuple[list[float], int, int]:
        clients = LateClients(1)
        given = Given(clients)
        await asyncio.sleep(LATE_TIMEOUT_S - 1)
        late = len(clients)
        given.expectation.met()
        await asyncio.sleep(100)
        return given.up_at_s, late, len(clients)

    assert after(run) == ([], 1, 0)


def test_a_client_that_never_does_is_given_up_in_the_end() -> None:
    async def run() -> tuple[list[float], int, int]:
        clients = LateClients(1)
        given = Given(clients)
        await asyncio.sleep(100)
        return given.up_at_s, len(clients), clients.given_up

    assert after(run) == ([LATE_TIMEOUT_S], 0, 1)


def test_of_an_address_so_many_may_be_late_and_others_are_given_up_at_once() -> None:
    async def run() -> list[list[float]]:
        clients = LateClients(2)
        given = []
        for _ in range(3):
            given.append(Given(clients))
            await asyncio.sleep(1)
        given.append(Given(clients, "5.6.7.8"))
        await asyncio.sleep(100)
        # There is room again once those before are gone.
        given.append(Given(clients))
        await asyncio.sleep(100)
        return [each.up_at_s for each in given]

    assert after(run) == [
        *([LATE_TIMEOUT_S], [1 + LATE_TIMEOUT_S], [2 + HANDSHAKE_TIMEOUT_S]),
        *([3 + LATE_TIMEOUT_S], [103 + LATE_TIMEOUT_S]),
    ]


def test_a_client_that_was_in_a_namespace_has_as_long_to_find_another() -> None:
    async def run() -> list[float]:
        given = Given(LateClients(1))
        given.expectation.met()
        await asyncio.sleep(5)
        given.expectation.begin()
        await asyncio.sleep(100)
        return given.up_at_s

    assert after(run) == [5 + LATE_TIMEOUT_S]


def test_a_place_of_its_address_is_free_again_for_each_client_that_leaves() -> None:
    clients = LateClients(2)
    assert [clients.takes("1.2.3.4") for _ in range(3)] == [True, True, False]
    clients.leaves("1.2.3.4")
    assert [clients.takes("1.2.3.4") for _ in range(2)] == [True, False]
    assert len(clients) == 2


def test_a_client_counts_while_it_is_late_and_once() -> None:
    async def run() -> tuple[list[int], int]:
        clients = LateClients(2)
        early, late = Given(clients), Given(clients)
        early.expectation.met()
        counted = [len(clients)]
        await asyncio.sleep(HANDSHAKE_TIMEOUT_S + 1)
        counted.append(len(clients))
        # It connects, and is gone later.
        for _ in range(2):
            late.expectation.met()
            counted.append(len(clients))
        for _ in range(2):
            Given(clients)
        await asyncio.sleep(100)
        return counted, clients.given_up

    assert after(run) == ([0, 1, 0, 0], 2)
