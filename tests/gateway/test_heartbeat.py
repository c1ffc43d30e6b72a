"""A session's heartbeat, in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from harmonic_gateway.sockets.handed import HandedHeartbeat
from harmonic_gateway.sockets.heartbeat import Heartbeat
from harmonic_runtime.process.deadlines import Deadlines
from harness import virtual_time

INTERVAL_S, TIMEOUT_S = 5.0, 4.0


class Session:
    """Notes down when what happened; a ping that ``pends`` has not left."""

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self.pinged_at_s: list[float] = []
        self.answered_at_s: list[float] = []
        self.given_up_at_s: list[float] = []
        self.pends_until_s: float | None = None
        self.slow_until_s = float("-inf")
        beats = Deadlines(Heartbeat.come_due)
        self.heartbeat = Heartbeat(self, interval_s, TIMEOUT_S, beats)

    def ping(self) -> None:
        self.pinged_at_s.append(now_s())

    def ping_pending_until_s(self, timeout_s: float) -> float | None:
        assert timeout_s == TIMEOUT_S
        return self.pends_until_s

    def answer_waits_until_s(self, timeout_s: float) -> float:
        return self.slow_until_s + timeout_s

    def answered(self) -> None:
        self.answered_at_s.append(now_s())

    def unanswered(self) -> None:
        self.given_up_at_s.append(now_s())


def now_s() -> float:
    return asyncio.get_running_loop().time()


def in_doubt(session: Session) -> bool:
    return session.heartbeat.in_doubt


def answers(beat: Heartbeat) -> bool:
    return beat.answers


def talk(
    say: Callable[[Session], Coroutine[Any, Any, None]], interval_s: float = INTERVAL_S
) -> Session:
    """What happens while a client talks with a session."""

    async def run() -> Session:
        session = Session(interval_s)
        assert session.heartbeat.round_trip_ms is None
        await say(session)
        session.heartbeat.stop()
        return session

    return virtual_time.run(run())


def test_a_client_that_answers_is_pinged_every_interval() -> None:
    async def says(session: Session) -> None:
        at_s = 0.0
        for _ in range(3):
            at_s += INTERVAL_S
            await asyncio.sleep(at_s + 0.25 - now_s())
            session.heartbeat.pong()

    session = talk(says)
    assert session.pinged_at_s == [5, 10, 15]
    assert session.answered_at_s == [5.25, 10.25, 15.25]
    assert session.heartbeat.round_trip_ms == 250
    assert session.given_up_at_s == []


def test_after_an_interval_no_longer_than_the_timeout_the_next_ping_follows_at_once() -> None:
    async def says(session: Session) -> None:
        for _ in range(2):
            await asyncio.sleep(TIMEOUT_S)
            session.heartbeat.pong()
        await asyncio.sleep(TIMEOUT_S - 1)

    assert talk(says, interval_s=TIMEOUT_S).pinged_at_s == [4, 8]


def test_a_client_that_leaves_a_ping_unanswered_is_given_up_a_timeout_later_and_once() -> None:
    async def silent(_: Session) -> None:
        await asyncio.sleep(60)

    session = talk(silent)
    assert session.pinged_at_s == [5]
    assert session.given_up_at_s == [9]


def test_only_an_answer_to_a_ping_counts_and_only_one() -> None:
    async def eager(session: Session) -> None:
        session.heartbeat.pong()
        await asyncio.sleep(5)
        session.heartbeat.pong()
        session.heartbeat.pong()

    session = talk(eager)
    assert session.answered_at_s == [5]


def test_a_ping_that_has_not_left_is_not_answered_and_not_missed_while_the_client_reads() -> None:
    async def behind(session: Session) -> None:
        await asyncio.sleep(4.5)
        session.pends_until_s = 12.0
        await asyncio.sleep(1)
        session.heartbeat.pong()
        assert in_doubt(session)
        await asyncio.sleep(6)
        assert session.given_up_at_s == []
        session.pends_until_s = 13.0
        await asyncio.sleep(30)

    session = talk(behind)
    assert session.answered_at_s == []
    assert session.given_up_at_s == [13]


def test_a_client_answers_until_an_interval_after_its_last_pong() -> None:
    async def say(session: Session) -> None:
        beat = session.heartbeat
        assert answers(beat)
        await asyncio.sleep(5)
        assert answers(beat)
        await asyncio.sleep(0.5)
        assert not answers(beat)
        beat.pong()
        assert answers(beat)
        await asyncio.sleep(5.25)
        assert not answers(beat)

    talk(say)


def test_a_client_can_be_pinged_at_once_but_not_twice() -> None:
    async def asks(session: Session) -> None:
        await asyncio.sleep(1)
        assert not in_doubt(session)
        session.heartbeat.ping_now()
        session.heartbeat.ping_now()
        assert in_doubt(session)
        await asyncio.sleep(0.5)
        session.heartbeat.pong()
        assert not in_doubt(session)
        await asyncio.sleep(5)

    session = talk(asks)
    assert session.pinged_at_s == [1, 6]


def test_a_heartbeat_that_is_stopped_says_nothing_more() -> None:
    async def ends(session: Session) -> None:
        await asyncio.sleep(6)
        session.heartbeat.stop()
        assert not in_doubt(session)
        await asyncio.sleep(60)

    session = talk(ends)
    assert session.pinged_at_s == [5]
    assert session.given_up_at_s == []


def test_a_client_that_is_read_slowly_has_a_timeout_after_that_to_answer() -> None:
    async def slow(session: Session) -> None:
        await asyncio.sleep(INTERVAL_S + 1)
        session.slow_until_s = INTERVAL_S + 3
        await asyncio.sleep(30)

    session = talk(slow)

    assert session.given_up_at_s == [INTERVAL_S + 3 + TIMEOUT_S]


def test_a_heartbeat_goes_on_elsewhere_as_it_stood() -> None:
    async def says(session: Session) -> None:
        await asyncio.sleep(2)
        handed = session.heartbeat.hand_over()
        session.heartbeat.stop()
        other = Session()
        other.heartbeat.go_on(handed)
        # What the new one began with by itself is nothing any more.
        await asyncio.sleep(3.5)
        assert other.pinged_at_s == [5]
        other.heartbeat.stop()

    assert talk(says).pinged_at_s == []


def test_a_ping_of_one_gateway_is_answered_at_another_or_missed_there_at_its_time() -> None:
    async def says(session: Session) -> None:
        await asyncio.sleep(6)
        handed = session.heartbeat.hand_over()
        session.heartbeat.stop()
        answered, silent = Session(), Session()
        for other in (answered, silent):
            other.heartbeat.go_on(handed)
        answered.heartbeat.pong()
        await asyncio.sleep(5)
        assert answered.answered_at_s == [6]
        assert answered.heartbeat.round_trip_ms == 1000
        assert answered.pinged_at_s == [10]
        assert silent.pinged_at_s == []
        assert silent.given_up_at_s == [9]
        answered.heartbeat.stop()

    assert talk(says).pinged_at_s == [5]


def test_a_ping_that_was_sent_elsewhere_is_awaited_here_as_long_as_there() -> None:
    there: list[Session] = []

    async def goes(session: Session) -> None:
        await asyncio.sleep(6.5)
        handed = session.heartbeat.hand_over()
        assert handed == HandedHeartbeat(
            answered_ago_s=6.5, pinged_ago_s=1.5, is_due=True, round_trip_ms=None
        )
        session.heartbeat.stop()
        there.append(Session())
        there[0].heartbeat.go_on(handed)
        assert in_doubt(there[0])
        assert not answers(there[0].heartbeat)
        await asyncio.sleep(60)

    assert talk(goes).given_up_at_s == []
    assert (there[0].given_up_at_s, there[0].pinged_at_s) == ([9], [])


def test_a_client_that_answered_elsewhere_is_pinged_here_when_it_would_be_there() -> None:
    there: list[Session] = []

    async def goes(session: Session) -> None:
        await asyncio.sleep(5.25)
        session.heartbeat.pong()
        await asyncio.sleep(1.75)
        handed = session.heartbeat.hand_over()
        session.heartbeat.stop()
        there.append(Session())
        beat = there[0].heartbeat
        beat.go_on(handed)
        assert (in_doubt(there[0]), beat.round_trip_ms) == (False, 250)
        await asyncio.sleep(10.25 - now_s())
        assert answers(beat)
        await asyncio.sleep(0.25)
        assert not answers(beat)
        beat.stop()

    talk(goes)
    assert there[0].pinged_at_s == [10]
