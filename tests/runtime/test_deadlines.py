"""One timer for many waits: each end is told once, in order, and never too early."""

import asyncio

from harmonic_runtime.process.deadlines import GRAIN_S, Deadlines


class Told:
    """Notes what is over, and when."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.keys: list[str] = []
        self.at_s: dict[str, float] = {}
        self.deadlines: Deadlines[str] = Deadlines(self.over)
        self._news = asyncio.Event()

    def over(self, key: str) -> None:
        self.keys.append(key)
        self.at_s[key] = self.loop.time()
        self._news.set()

    async def until(self, key: str) -> None:
        while key not in self.keys:
            self._news.clear()
            await self._news.wait()


async def test_ends_are_told_in_their_order_and_not_before() -> None:
    told = Told()
    began_s = told.loop.time()
    after_s = {"last": 8 * GRAIN_S, "first": 0.0, "second": 2 * GRAIN_S, "third": 4 * GRAIN_S}
    for key, each in after_s.items():
        told.deadlines.add(key, each)
    await told.until("last")
    assert told.keys == ["first", "second", "third", "last"]
    assert all(told.at_s[key] >= began_s + each for key, each in after_s.items())


async def test_one_that_is_over_long_ago_is_told_soon() -> None:
    told = Told()
    told.deadlines.add("later", 60.0)
    told.deadlines.add("long ago", -1.0)
    await told.until("long ago")
    assert told.keys == ["long ago"]


async def test_whoever_is_told_may_add() -> None:
    told = Told()
    again: Deadlines[int] = Deadlines(lambda left: add(left - 1))

    def add(left: int) -> None:
        if left:
            again.add(left, 0.0)
        else:
            told.over("done")

    add(3)
    await told.until("done")


async def test_what_is_removed_is_not_told_even_where_its_time_has_come() -> None:
    told = Told()
    gone = {"early": told.deadlines.add("early", 0.0)}
    told.deadlines.remove("early", gone["early"])

    def over(key: str) -> None:
        told.over(key)
        together.remove("second", number)

    together: Deadlines[str] = Deadlines(over)
    together.add("first", 0.0)
    number = together.add("second", 0.0)
    together.add("third", 0.0)
    await told.until("third")
    assert told.keys == ["first", "third"]


async def test_a_failure_is_reported_and_the_others_are_told() -> None:
    told = Told()
    reported: list[object] = []
    told.loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
    failure = ValueError("a fault")

    def over(key: str) -> None:
        if key == "fails":
            raise failure
        told.over(key)

    deadlines: Deadlines[str] = Deadlines(over)
    deadlines.add("fails", 0.0)
    deadlines.add("next", 0.0)
    await told.until("next")
    assert reported == [failure]


async def test_what_is_forgotten_is_not_told() -> None:
    told = Told()
    told.deadlines.add("forgotten", 0.0)
    told.deadlines.clear()
    told.deadlines.add("kept", 2 * GRAIN_S)
    await told.until("kept")
    assert told.keys == ["kept"]


async def test_nothing_wakes_the_process_for_what_was_removed() -> None:
    told = Told()
    first, second = (told.deadlines.add(key, 2 * GRAIN_S) for key in ("first", "second"))
    told.deadlines.remove("first", first)
    told.deadlines.remove("second", second)
    assert told.deadlines.next_s is None
    told.deadlines.add("kept", 4 * GRAIN_S)
    await told.until("kept")
    assert told.keys == ["kept"]
