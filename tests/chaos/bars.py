"""What members heard of an endless piece beside what its log holds: the checks. Pure.

Times are Unix time of one machine, on which the product and its members run.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from harmonic_gateway.delivery.bars import HeardBar, read_bar
from harmonic_music.bar_jobs import make_bar
from harmonic_protocol.log import BarRecorded, Record
from harmonic_protocol.messages.endless import MusicStarted
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from harmonic_state.bar_plan import job_of

#: What rounding to a millisecond may make of two times' distance.
ROUNDED_S = 0.0011
#: Bars of at least this length hear a change within two bars.
SOON_S = 1.8
_US_PER_S = 10**6
_US_PER_MINUTE = 60 * _US_PER_S


class Arrival(NamedTuple):
    """When a bar came first, and since when the member was in the room without a break."""

    at_s: float
    there_since_s: float


@dataclass
class Heard:
    """The bars that a member heard, each as it came first; when it came, and left for good."""

    bars: dict[int, Any] = field(default_factory=dict)
    arrivals: dict[int, Arrival] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    came_s: list[float] = field(default_factory=list)
    left_s: float = float("inf")

    def take(self, bar: Any, now_s: float) -> None:
        """A bar came."""
        number = bar["bar"]
        known = self.bars.setdefault(number, bar)
        if known != bar:
            self.faults.append(f"bar {number} came again as another one")
        self.arrivals.setdefault(number, Arrival(now_s, self.came_s[-1]))


class LoggedBar(NamedTuple):
    """A bar as the log has it; what was in force at its record; when it was recorded.

    ``seq`` is the number of the last update before it.
    """

    bar: BarRecorded
    music: MusicParameters
    physics: PhysicsParameters
    seq: int
    at_s: float


class Change(NamedTuple):
    """A slider that was moved: when it was asked for, and its number in the universe."""

    asked_s: float
    seq: int


def begins_s(bar: Any) -> float:
    """When a bar begins."""
    return datetime.fromisoformat(bar["startsAt"]).timestamp()


def logged(records: Sequence[Record]) -> tuple[MusicStarted, list[LoggedBar]]:
    """The piece and its bars from a whole log, with the parameters that its updates add up to."""
    values: dict[str, dict[str, Any]] = {"music": {}, "physics": {}}
    started, seq = None, 0
    found: list[LoggedBar] = []
    for record in records:
        for event in record.events:
            updated = event.name.removesuffix("_updated")
            if event.name == MusicStarted.spec.name:
                started = MusicStarted.model_validate(event.data)
            elif updated in values:
                values[updated] |= event.data["parameters"]
                seq = event.data["seq"]
            elif event.name == BarRecorded.name:
                found.append(
                    LoggedBar(
                        BarRecorded.model_validate(event.data),
                        MusicParameters.model_validate(values["music"]),
                        PhysicsParameters.model_validate(values["physics"]),
                        seq,
                        datetime.fromisoformat(record.at).timestamp(),
                    )
                )
    assert started is not None, "nothing was started"
    return started, found


def wrong_in_log(piece: Sequence[LoggedBar]) -> Iterator[str]:
    """Bars of the log that follow one another wrongly, or from other parameters than the log's."""
    for one, after in pairwise(piece):
        if after.bar.bar != one.bar.bar + 1:
            yield f"bar {after.bar.bar} is recorded after bar {one.bar.bar}"
        if after.bar.starts_us <= one.bar.starts_us:
            yield f"bar {after.bar.bar} begins before bar {one.bar.bar}"
        if one.seq < after.seq <= one.bar.as_of:
            yield f"bar {one.bar.bar} is as of update {after.seq}, which follows it"
    for each in piece:
        if (each.bar.music, each.bar.physics) != (each.music, each.physics):
            yield f"bar {each.bar.bar} has other parameters than the log at its record"
        if each.bar.as_of < each.seq:
            yield f"bar {each.bar.bar} is as of {each.bar.as_of}, before update {each.seq}"


def wrong_notes(
    universe: str, started: MusicStarted, piece: Sequence[LoggedBar], bars: Mapping[int, Any]
) -> Iterator[str]:
    """Bars that were heard as another one than their record makes, or left another state."""
    left = None
    for each in piece:
        job = job_of(universe, each.bar, seed=started.seed, style=started.style)
        if left not in (None, each.bar.state):
            yield f"bar {each.bar.bar} has another state than the one before left"
        made, stored = make_bar(job)
        left = made.state
        composed = read_bar(universe, stored, each.bar.starts_us / 10**6)
        heard = bars.get(each.bar.bar)
        is_same = isinstance(composed, HeardBar) and json.loads(composed.data) == heard
        if heard is not None and not is_same:
            yield f"bar {each.bar.bar} is not what its record makes"


def gaps(ordered: Sequence[Any]) -> list[str]:
    """Bars that do not begin where the one before ends."""
    return [
        f"bar {after['bar']} begins {begins_s(after) - begins_s(one) - one['duration']:+.3f} s off"
        for one, after in pairwise(ordered)
        if after["bar"] != one["bar"] + 1
        or abs(begins_s(after) - begins_s(one) - one["duration"]) > ROUNDED_S
    ]


def drift_us(ordered: Sequence[Any], piece: Sequence[LoggedBar]) -> float:
    """The most that a bar's beginning is off from what the tempos of all bars before it add up to.

    The tempo changes evenly within a bar. Exact, but for what a tempo is rounded to by a composer.
    """
    starts_us = {each.bar.bar: each.bar.starts_us for each in piece}
    begin_us, total, most = starts_us[0], Fraction(0), Fraction(0)
    tempo = Fraction(ordered[0]["tempo"])
    for bar in ordered:
        most = max(most, abs(starts_us[bar["bar"]] - begin_us - total))
        before, tempo = tempo, Fraction(bar["tempo"])
        beats, _, unit = bar["meter"].partition("/")
        quarters = Fraction(4 * int(beats), int(unit))
        total += quarters * _US_PER_MINUTE * (1 / before + 1 / tempo) / 2
    return float(most)


def missed(members: Sequence[Heard], piece: Sequence[LoggedBar]) -> list[str]:
    """Bars that a member was to hear and did not: it was there while they sounded."""
    return [
        f"member {who} did not hear bar {each.bar.bar}"
        for who, heard in enumerate(members)
        for each, after in pairwise(piece)
        if heard.came_s
        and after.bar.starts_us / _US_PER_S < heard.left_s
        and each.bar.starts_us / _US_PER_S > heard.came_s[0]
        and each.bar.bar not in heard.bars
    ]


class Leads(NamedTuple):
    """How long before their beginning bars came, in order: to who was there, and to others."""

    there_s: list[float]
    returned_s: list[float]


def leads(members: Sequence[Heard], piece: Sequence[LoggedBar]) -> Leads:
    """The leads of all members: of those that were there at a bar's record, and of others."""
    found = Leads([], [])
    recorded_s = {each.bar.bar: each.at_s for each in piece}
    for heard in members:
        for number, arrival in heard.arrivals.items():
            lead_s = begins_s(heard.bars[number]) - arrival.at_s
            was_there = arrival.there_since_s <= recorded_s.get(number, 0.0)
            (found.there_s if was_there else found.returned_s).append(lead_s)
    return Leads(sorted(found.there_s), sorted(found.returned_s))


def waits(changes: Sequence[Change], ordered: Sequence[Any]) -> list[tuple[int, float]]:
    """For each change: after how many bars, and after how many seconds, a bar with it begins.

    Of bars that are shorter than two bars' notice needs, only the seconds count: 0 bars.
    """
    found = []
    for change in changes:
        sounding = [bar for bar in ordered if begins_s(bar) <= change.asked_s]
        having = [bar for bar in ordered if bar["asOf"] >= change.seq]
        if sounding and having:
            between = ordered[ordered.index(sounding[-1]) : ordered.index(having[0])]
            is_long = all(bar["duration"] >= SOON_S for bar in between)
            bars = having[0]["bar"] - sounding[-1]["bar"] if is_long else 0
            found.append((bars, begins_s(having[0]) - change.asked_s))
    return found
