"""Endless pieces over hours and a day, by a clock that the test moves: no drift, nothing grows."""

import random
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from harmonic_music.endless.timing import BarTime, beat_ns
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_protocol import subjects
from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import RecordBar
from harmonic_protocol.log import BarRecorded
from harmonic_protocol.pieces import MAX_BAR_STATE_BYTES, BarMade
from harmonic_state.bar_plan import AskComposer, BarPlan, RecordNext, WaitUntil
from harmonic_state.domain.decide import Decision, decide
from harmonic_state.domain.endless import LATE_LEAD_MS
from harmonic_state.domain.events import encode_record
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.presence import DecisionInputs
from harmonic_state.domain.universe import Universe
from harmonic_state.snapshots import Snapshot, encode_snapshot
from state_service.builders import UNIVERSE, History, caller, command, open_universe
from state_service.storing import Storing

ANN, OWNER_ITSELF = caller("ann"), Caller("", "")
#: A day of bars of two seconds.
DAY = 43_200
US_PER_MS, US_PER_S, US_PER_MINUTE = 1000, 10**6, 60 * 10**6
HALF_AN_HOUR_US = 30 * US_PER_MINUTE


class Room:
    """A universe that plays, and the plan of its owner; time goes to whatever is next due."""

    def __init__(self) -> None:
        history = open_universe()
        history.does(command("join_room", mode="edit"), ANN)
        history.does(command("start_music", seed=7), ANN)
        self.universe: Universe = history.now
        self.now_us = history.milliseconds * US_PER_MS
        self.plan = BarPlan(UNIVERSE)
        self.plan.learned(self.universe.endless)

    @property
    def latest(self) -> BarRecorded:
        assert self.universe.endless is not None
        assert self.universe.endless.latest is not None
        return self.universe.endless.latest

    def goes_on(self, duration_us: int, *, later_us: int = 0) -> BarRecorded:
        """The latest bar is made, and the next is recorded when it is due, or that much later."""
        asked = self.plan.next(self.now_us, 0)
        assert isinstance(asked, AskComposer)
        self.plan.made(
            BarMade(
                stream_id=asked.job.stream_id,
                bar=asked.job.bar,
                duration_us=duration_us,
                state="s",
            )
        )
        step = self.plan.next(self.now_us, 0)
        if isinstance(step, WaitUntil):
            self.now_us = step.at_us
            step = self.plan.next(self.now_us, 0)
        assert isinstance(step, RecordNext)
        self.now_us += later_us
        unix_ms = self.now_us // US_PER_MS
        at = datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds")
        decision = decide(self.universe, step.request, OWNER_ITSELF, DecisionInputs(at, unix_ms))
        assert isinstance(decision, Decision)
        after = fold(self.universe, decision.events)
        assert after is not None
        self.universe = after
        self.plan.done()
        self.plan.learned(after.endless)
        return self.latest


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 7), st.sampled_from([0.01, 0.1, 0.9]))
def test_bars_neither_drift_nor_run_backwards_whatever_the_tempo_does(
    seed: int, beats: int, changing: float
) -> None:
    rng, room = random.Random(seed), Room()
    tempo, rest, total_us = 120.0, 0, Fraction(0)
    began_us = room.latest.starts_us
    while total_us < HALF_AN_HOUR_US:
        before = tempo
        if rng.random() < changing:
            tempo = rng.uniform(40, 200)
        time = BarTime(beats * TICKS_PER_BEAT, beat_ns(before), beat_ns(tempo))
        duration_us, rest = time.us(rest)
        one, after = room.latest, room.goes_on(duration_us)
        assert (after.bar, after.starts_us) == (one.bar + 1, one.starts_us + duration_us)
        total_us += beats * US_PER_MINUTE * (1 / Fraction(before) + 1 / Fraction(tempo)) / 2
    off_us = room.latest.starts_us - began_us - total_us
    # A microsecond, and half a nanosecond for every beat.
    assert abs(off_us) <= 1 + Fraction(room.latest.bar * beats, 1000)
    assert abs(off_us) < US_PER_MS


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(600_000, 12_000_000), st.sampled_from([0, 0, 0, 500_000, 20_000_000])
        ),
        min_size=1,
        max_size=60,
    )
)
def test_a_bar_begins_where_the_one_before_ends_or_later_and_never_too_soon(
    bars: list[tuple[int, int]],
) -> None:
    room = Room()
    for duration_us, later_us in bars:
        ends_us = room.latest.starts_us + duration_us
        bar = room.goes_on(duration_us, later_us=later_us)
        if bar.starts_us != ends_us:
            late_us = (room.now_us // US_PER_MS + LATE_LEAD_MS) * US_PER_MS
            assert bar.starts_us == late_us > ends_us


def recorded(history: History, number: int) -> list[BarRecorded]:
    """The next bar, with a state as large as it may be."""
    assert history.now.endless is not None
    request = RecordBar(
        universe_id=UNIVERSE,
        stream_id=history.now.endless.stream_id,
        bar=number,
        starts_us=10**15 + number * 2 * US_PER_S,
        state=f"{number} ".ljust(MAX_BAR_STATE_BYTES, "s"),
    )
    events = history.does(request, OWNER_ITSELF)
    assert all(isinstance(event, BarRecorded) for event in events)
    return [event for event in events if isinstance(event, BarRecorded)]


def begun() -> History:
    history = open_universe()
    history.does(command("join_room", mode="edit"), ANN)
    history.does(command("start_music", seed=7), ANN)
    return history


def test_after_a_day_the_owners_state_and_its_snapshot_are_no_larger() -> None:
    history = begun()
    sizes = {}
    for number in range(1, DAY + 1):
        (event,) = recorded(history, number)
        # The test alone remembers them.
        history.events.clear()
        if number in {10_000, DAY}:
            snapshot = Snapshot(number, history.now)
            sizes[number] = [len(encode_snapshot(snapshot, packed=p)) for p in (False, True)]
    assert sizes[DAY][0] == sizes[10_000][0] < MAX_BAR_STATE_BYTES + 4096
    # What is packed differs a little from digit to digit.
    assert sizes[DAY][1] < sizes[10_000][1] + 64
    assert len(encode_record("r", history.now.updated_at, [event], after="q")) <= 5 * 1024


async def test_a_log_is_trimmed_below_its_snapshots_however_long_a_piece_is() -> None:
    every, kept = 8, 4
    storing = Storing(snapshot_every_records=every, history_snapshots=kept)
    storing.history.does(command("start_music", seed=7), ANN)
    await storing.store()
    most = 0
    for number in range(1, 400):
        await storing.store(recorded(storing.history, number))
        if number % every == 0:
            await storing.cover()
        most = max(most, len(storing.records))
    assert kept * every <= most <= (kept + 2) * every


def test_a_universe_has_a_fixed_number_of_bars_in_their_stream() -> None:
    kept = {subjects.bar(UNIVERSE, number) for number in range(DAY)}
    assert len(kept) == subjects.BAR_SLOTS
    # A bar takes the place of one that ended long before.
    for one, after in pairwise(range(DAY)):
        assert subjects.bar(UNIVERSE, one) != subjects.bar(UNIVERSE, after)
