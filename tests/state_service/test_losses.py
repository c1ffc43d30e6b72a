"""A log that lost records, and the owners that go on with it: it is mended once, by whoever."""

from collections.abc import Sequence

import pytest

from harmonic_protocol.internal import ReleaseGateway
from harmonic_protocol.log import HistoryLost
from harmonic_runtime.bus.streams import Stored
from harmonic_state.commit_cycle import CommitCycle
from harmonic_state.domain.events import decode_record, loses_history
from harmonic_state.domain.universe_requests import UniverseRequest
from harmonic_state.journal import Conflict, Journal
from harmonic_state.loaded import Loaded
from harmonic_state.losses import UNPROVEN_S, Seen
from harmonic_state.steps import (
    RECORDS_HIDDEN,
    Append,
    CarryOutEffects,
    Confirm,
    Confirmed,
    Conflicted,
    EffectsDone,
    Event,
    Load,
    MakeRoom,
    Read,
    ReadOn,
    RecordStored,
    Report,
    SaveSnapshot,
    SnapshotSaved,
)
from state_service.builders import UNIVERSE
from state_service.cycles import Cycle, update
from state_service.storing import ANN, LOG, Storing

#: Steps of one owner at most: far more than any schedule here takes.
MOST_STEPS = 60


class Owner:
    """An owner on a journal, a step at a time; its snapshots are stored when the test says."""

    def __init__(self, journal: Journal) -> None:
        self.cycle, self._journal = Cycle(), journal
        self.unsaved: list[Loaded] = []
        #: How often it was logged that the broker does not show what it has stored.
        self.told = 0

    @property
    def core(self) -> CommitCycle:
        return self.cycle.cycle

    async def asks(
        self, request: UniverseRequest, *, seen_position: int = 0, seen_seq: int = 0
    ) -> str:
        """Have a request answered; its outcome."""
        number = self.begins(request, seen_position=seen_position, seen_seq=seen_seq)
        await self.goes_on()
        return self.cycle.outcome(number)

    def begins(self, request: UniverseRequest, *, seen_position: int = 0, seen_seq: int = 0) -> int:
        number = self.cycle.ask(request, ANN, seen_position=seen_position, seen_seq=seen_seq)
        self._note()
        return number

    async def goes_on(self, until: type | None = None) -> None:
        """Do all work, or all before the first of a kind."""
        for _ in range(MOST_STEPS):
            if self.cycle.work is None or (until and isinstance(self.cycle.work, until)):
                return
            await self.steps()
        raise AssertionError("it does not come to an end")

    async def steps(self) -> None:
        """Do one piece of work."""
        self.cycle.tell(await self._outcome())
        self._note()

    async def saves(self) -> None:
        """Store the snapshots that are due."""
        for loaded in self.unsaved:
            self.cycle.tell(SnapshotSaved(await self._journal.save_snapshot(UNIVERSE, loaded)))
        self.unsaved.clear()

    def _note(self) -> None:
        self.unsaved += [
            each.loaded for each in self.cycle.commands if isinstance(each, SaveSnapshot)
        ]
        self.told += sum(each == Report(RECORDS_HIDDEN) for each in self.cycle.commands)

    async def _outcome(self) -> Event:
        journal = self._journal
        try:
            match self.cycle.work:
                case Load(known):
                    return Read(*await journal.load(UNIVERSE, known))
                case ReadOn(known):
                    return Read(*await journal.advance(UNIVERSE, known))
                case Append(at, events, position, after):
                    stored = await journal.append(UNIVERSE, at, events, position, after=after)
                    return RecordStored(*stored)
                case Confirm(position):
                    await journal.confirm(UNIVERSE, position)
                    return Confirmed()
                case CarryOutEffects():
                    return EffectsDone()
                case MakeRoom() | None:
                    raise AssertionError(self.cycle.work)
        except Conflict:
            return Conflicted()


def losses(storing: Storing) -> int:
    """How often the log says that records were lost."""
    kept = [each for each in storing.streams.stored if each.subject == LOG]
    events = [event for each in kept for event in decode_record(each.payload)[1]]
    return sum(isinstance(event, HistoryLost) for event in events)


async def shortened(*, covered: int = 3, lost: Sequence[int] = (3, 4, 5)) -> Storing:
    """A universe with a snapshot of its record ``covered``, whose log then lost some records."""
    storing = Storing()
    for number in range(1, 6):
        await storing.store()
        if number == covered:
            await storing.cover()
    gone = {storing.records[number - 1] for number in lost}
    storing.streams.stored = [
        each for each in storing.streams.stored if each.subject != LOG or each.sequence not in gone
    ]
    return storing


#: Asks for nothing: its answer tells that the log was read to its end.
LOOK = ReleaseGateway(universe_id=UNIVERSE, gateway_id="")


def gravity(value: float) -> UniverseRequest:
    return update(value)


async def test_of_two_owners_that_find_the_same_loss_one_mends_it() -> None:
    """Both have read the log before either writes to it."""
    storing = await shortened()
    first, second = Owner(storing.journal), Owner(storing.journal)
    for each in (first, second):
        each.begins(gravity(1))
        await each.goes_on(until=Append)
    await first.goes_on()
    await second.goes_on()
    assert losses(storing) == 1
    assert await first.asks(gravity(3)) == await second.asks(gravity(4)) == "ok"
    assert losses(storing) == 1


async def test_an_owner_that_reads_an_old_snapshot_sees_in_the_log_that_it_was_mended() -> None:
    """The snapshot that goes with the record of the loss is not stored yet, or was refused."""
    storing = await shortened()
    first = Owner(storing.journal)
    assert await first.asks(gravity(1)) == "ok"
    for number in range(3):
        later = Owner(storing.journal)
        assert await later.asks(gravity(2 + number)) == "ok"
    assert losses(storing) == 1
    assert await first.asks(gravity(9)) == "ok"
    assert losses(storing) == 1


async def test_a_position_that_is_named_again_and_again_has_the_log_mended_once() -> None:
    """A gateway of the version before names the position that it was sent, and no number."""
    storing = await shortened(covered=1, lost=(3, 4, 5))
    await storing.journal.save_snapshot(UNIVERSE, (await storing.journal.load(UNIVERSE))[0])
    first, second = Owner(storing.journal), Owner(storing.journal)
    for number in range(4):
        for owner in (first, second):
            assert await owner.asks(gravity(number), seen_position=30) == "ok"
            owner.cycle.now_s += 3600
    assert losses(storing) == 1


async def test_a_loss_is_mended_again_if_records_after_it_are_lost() -> None:
    storing = await shortened()
    assert await Owner(storing.journal).asks(gravity(1)) == "ok"
    assert await Owner(storing.journal).asks(gravity(2)) == "ok"
    assert losses(storing) == 1
    hole = storing.records[-2]
    storing.streams.stored = [each for each in storing.streams.stored if each.sequence != hole]
    assert await Owner(storing.journal).asks(gravity(3)) == "ok"
    assert await Owner(storing.journal).asks(gravity(4)) == "ok"
    assert losses(storing) == 2


async def test_where_the_end_cannot_be_read_the_log_is_mended_once_by_two_owners() -> None:
    """The record of the loss then stands after nothing: who knows the end before it reads anew."""
    storing = await shortened(lost=())
    first, second = Owner(storing.journal), Owner(storing.journal)
    for each in (first, second):
        assert await each.asks(LOOK) == "ok"
    storing.streams.lose_end(LOG)
    assert await first.asks(gravity(1)) == "ok"
    for number in range(3):
        assert await second.asks(gravity(2 + number)) == "ok"
        assert await first.asks(gravity(6 + number)) == "ok"
    assert losses(storing) == 1


async def test_a_broker_that_cannot_read_what_it_stores_is_not_told_of_a_loss_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storing = await shortened(lost=())
    owner = Owner(storing.journal)
    assert await owner.asks(LOOK) == "ok"
    storing.streams.lose_end(LOG)
    monkeypatch.setattr(storing.streams, "lost_ends", _Always({LOG}))
    assert await owner.asks(gravity(1)) == "INTERNAL_ERROR"
    assert losses(storing) == 1


async def test_a_broker_that_stores_and_shows_nothing_is_not_told_of_a_loss_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It takes the log for empty, whatever is stored in it."""
    storing = await shortened(lost=())
    owner = Owner(storing.journal)
    assert await owner.asks(LOOK) == "ok"
    stored = losses_of(storing)
    hide(storing, monkeypatch)
    for number in range(5):
        assert await owner.asks(gravity(number)) == "STORAGE_UNREADABLE"
    assert losses_of(storing) - stored == 1
    assert owner.told == 1
    owner.cycle.now_s += UNPROVEN_S
    for number in range(5):
        assert await owner.asks(gravity(number)) == "STORAGE_UNREADABLE"
    assert losses_of(storing) - stored == 2
    assert owner.told == 2
    monkeypatch.undo()
    # As after the broker's restart.
    assert await owner.asks(gravity(6)) == "ok"


async def test_a_loss_of_the_record_of_a_loss_is_written_down_at_once() -> None:
    storing = await shortened()
    owner = Owner(storing.journal)
    assert await owner.asks(gravity(1)) == "ok"
    storing.streams.stored = [each for each in storing.streams.stored if each.subject != LOG]
    assert await owner.asks(gravity(2)) == "ok"
    assert losses(storing) == 1


def losses_of(storing: Storing) -> int:
    """How often it was stored that records were lost, whether that can be read or not."""
    return sum(loses_history(each.payload) for each in storing.streams.stored)


def hide(storing: Storing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the log take appends, and read as empty."""
    read = storing.streams.read

    async def nothing(stream: str, subject: str, *, from_sequence: int, limit: int) -> list[Stored]:
        if subject == LOG:
            return []
        return await read(stream, subject, from_sequence=from_sequence, limit=limit)

    monkeypatch.setattr(storing.streams, "read", nothing)
    monkeypatch.setattr(storing.streams, "lost_ends", _Always({LOG}))


class _Always(set[str]):
    def discard(self, _: object) -> None:
        """Nothing is readable again."""


async def test_of_two_owners_that_are_told_the_same_number_one_mends_the_log() -> None:
    """Only a gateway knows of the loss; each owner is told of it by requests, for as long."""
    storing = await shortened(covered=1, lost=(4, 5))
    seen = storing.loaded.seq
    first, second = Owner(storing.journal), Owner(storing.journal)
    for each in (first, second):
        each.begins(gravity(1), seen_seq=seen)
        await each.goes_on(until=Append)
    await second.goes_on()
    await first.goes_on()
    for number in range(3):
        for each in (first, second, Owner(storing.journal)):
            assert await each.asks(gravity(number), seen_position=5, seen_seq=seen) == "ok"
            await each.saves()
    assert losses(storing) == 1
    assert (await storing.journal.load(UNIVERSE))[0].seq > seen


async def test_a_loss_that_is_found_is_written_down_though_the_log_was_read_again_since() -> None:
    """A gateway names a position beyond the end: another owner may have stored more."""
    storing = await shortened(covered=5)
    owner = Owner(storing.journal)
    assert await owner.asks(gravity(1), seen_position=9, seen_seq=storing.loaded.seq) == "ok"
    assert losses(storing) == 1


async def test_an_owner_that_knew_more_than_who_mended_the_log_says_so_once() -> None:
    """What it has in memory is not in the log that goes on: members have to be shown it."""
    storing = await shortened(covered=2, lost=())
    knows_all = Owner(storing.journal)
    assert await knows_all.asks(LOOK) == "ok"
    gone = storing.records[-3:]
    storing.streams.stored = [
        each for each in storing.streams.stored if each.subject != LOG or each.sequence not in gone
    ]
    knows_less = Owner(storing.journal)
    assert await knows_less.asks(gravity(1), seen_seq=storing.loaded.seq) == "ok"
    assert losses(storing) == 1
    for number in range(3):
        assert await knows_all.asks(gravity(2 + number)) == "ok"
        assert await knows_less.asks(gravity(6 + number)) == "ok"
    assert losses(storing) == 2


def test_of_gateways_that_name_no_seq_the_furthest_position_is_known_apart() -> None:
    assert Seen.named(7, 3) == Seen(position=7, seq=3, unnumbered=0)
    assert Seen.named(7, 0) == Seen(position=7, seq=0, unnumbered=7)
