"""The audit log: each entry is written once, whoever owns the universe by then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from harmonic_protocol import subjects
from harmonic_protocol.log import ActionNoted
from harmonic_protocol.messages.auditing import AuditEntry, ListAudit
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.jetstream import call
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.bus.timebase import SharedClock
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import SystemClock, timestamp
from harmonic_state import auditing
from harmonic_state.auditing import Auditing
from harmonic_state.domain.universe import LastAction, Universe
from harmonic_state.journal import Journal
from harmonic_state.ring import RecentRecord
from harness.broker import count
from harness.client import PATIENCE_S
from state_service.builders import (
    UNIVERSE,
    open_universe,
    skipped_messages,
)
from state_service.conftest import OpenJournal

KEPT_S = 3600


class Written:
    """A universe whose log is stored, and the audit log that owners of it write."""

    def __init__(self, streams: Streams, journal: Journal) -> None:
        self.streams = streams
        self.journal = journal
        self.position = 0

    def owner(self) -> Auditing:
        self.metrics = Metrics()
        return Auditing(
            streams=self.streams,
            journal=self.journal,
            kept_s=KEPT_S,
            clock=SharedClock(SystemClock()),
            skipped=skipped_messages(),
            metrics=self.metrics,
            log=get_log(),
        )

    async def stores(self, *actions: ActionNoted) -> None:
        """A record of the log that notes them."""
        record, _ = await self.journal.append(
            UNIVERSE, timestamp(SystemClock().now()), actions, self.position
        )
        self.position = record.position

    async def entries(self) -> list[str]:
        found = await self.streams.read(
            subjects.AUDIT_STREAM, subjects.audit_of(UNIVERSE), from_sequence=1, limit=100
        )
        return [AuditEntry.model_validate_json(each.payload).id for each in found]


@pytest.fixture
async def written(own_bus: Bus, journal_with: OpenJournal) -> Written:
    return Written(Streams(own_bus), await journal_with())


def action(name: str, *, target: str | None = "ann", at: str | None = None) -> ActionNoted:
    at = timestamp(SystemClock().now()) if at is None else at
    return ActionNoted(id=name, action="ban_user", user_id="owner", target=target, timestamp=at)


def loaded(last: ActionNoted | None) -> Universe:
    known = None if last is None else LastAction(last.id, last.timestamp)
    return open_universe().now.later(last_action=known)


@asynccontextmanager
async def writing(owner: Auditing) -> AsyncIterator[None]:
    """An owner that writes meanwhile."""
    task = asyncio.create_task(owner.keep_writing())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def counted(written: Written, outcome: str) -> float:
    return count(written.metrics, f'audit_entries_total{{outcome="{outcome}"}}')


async def settled(owner: Auditing, universe: str = UNIVERSE) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while owner.is_due(universe):  # noqa: ASYNC110 -- it waits a second by itself
            await asyncio.sleep(0.01)


async def test_entries_are_written_in_their_order_and_found_by_who_they_name(
    written: Written,
) -> None:
    owner = written.owner()
    async with writing(owner):
        owner.note(UNIVERSE, [action("a"), action("b", target=None), action("c", target="bob")])
        await settled(owner)
    assert await written.entries() == ["a", "b", "c"]
    by, of = subjects.audit_of_user("owner"), subjects.audit_of_user("bob")
    for (first, second), expected in ((by, (3, 0)), (of, (0, 1))):
        found = [
            len(
                await written.streams.read(
                    subjects.AUDIT_STREAM, pattern, from_sequence=1, limit=10
                )
            )
            for pattern in (first, second)
        ]
        assert tuple(found) == expected


async def test_what_was_not_written_is_written_by_the_next_owner_once(written: Written) -> None:
    first, second, third = action("a"), action("b"), action("c")
    await written.stores(first)
    await written.stores(second, third)
    dying = written.owner()
    async with writing(dying):
        dying.note(UNIVERSE, [first])
        await settled(dying)

    for late in (2, 0):
        owner = written.owner()
        owner.resume(loaded(third))
        async with writing(owner):
            await settled(owner)
        assert await written.entries() == ["a", "b", "c"]
        assert counted(written, "late") == late


async def test_two_owners_at_once_write_each_entry_once(written: Written) -> None:
    actions = [action(f"a{number}") for number in range(5)]
    await written.stores(*actions)
    owners = [written.owner() for _ in range(2)]
    for owner in owners:
        owner.note(UNIVERSE, actions)
    async with writing(owners[0]), writing(owners[1]):
        for owner in owners:
            await settled(owner)
    assert await written.entries() == [each.id for each in actions]


async def test_what_is_not_kept_any_more_is_not_written_again(written: Written) -> None:
    old, new = action("old", at="2024-03-21T10:30:00.000Z"), action("new")
    await written.stores(old)
    owner = written.owner()
    owner.resume(loaded(old))
    assert not owner.is_due(UNIVERSE)
    # One that is kept has its universe looked through, and the old one is passed over.
    await written.stores(new)
    owner.resume(loaded(new))
    async with writing(owner):
        await settled(owner)
    assert await written.entries() == ["new"]


async def test_what_was_let_go_for_newer_entries_is_not_written_again(
    written: Written, own_bus: Bus
) -> None:
    first = action("first")
    await written.stores(first)
    owner = written.owner()
    async with writing(owner):
        owner.note(UNIVERSE, [first])
        owner.note("another", [action("later")])
        await settled(owner, "another")
        await call(own_bus, f"STREAM.PURGE.{subjects.AUDIT_STREAM}", {"keep": 1})
        owner.resume(loaded(first))
        await settled(owner)
    assert await written.entries() == []


async def test_more_than_may_wait_is_read_from_the_log_later(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "MAX_WAITING", 2)
    actions = [action(f"a{number}") for number in range(5)]
    await written.stores(*actions)
    owner = written.owner()
    owner.note(UNIVERSE, actions)
    assert counted(written, "deferred") == 3
    async with writing(owner):
        await settled(owner)
    assert await written.entries() == [each.id for each in actions]


async def test_a_page_begins_after_the_one_before_and_tells_of_what_can_be_read(
    written: Written,
) -> None:
    owner = written.owner()
    async with writing(owner):
        owner.note(UNIVERSE, [action("a"), action("b")])
        await settled(owner)
        subject = subjects.audit(UNIVERSE, "service", None)
        await written.streams.append(subject, b"no entry", timeout_s=1)
        owner.note(UNIVERSE, [action("c")])
        told: list[list[str]] = []
        cursor: str | None = "0"
        while cursor is not None:
            asked = ListAudit.model_validate(
                {"universeId": UNIVERSE, "limit": 2, "cursor": int(cursor)}
            )
            page = await owner.page(asked)
            told.append([entry.id for entry in page.items])
            cursor = page.next_cursor
    assert told == [["a", "b"], ["c"]]


NO_TIME = "2026-13-45T25:61:61.000Z"


async def test_an_entry_that_cannot_be_written_is_told_and_keeps_no_other_waiting(
    written: Written,
) -> None:
    """An operator's account or a gateway of another version may say what no entry can hold."""
    nameless = action("nameless").model_copy(update={"user_id": "x" * 256})
    await written.stores(action("a"), nameless, action("b"))
    late = written.owner()
    late.resume(loaded(action("b")))
    async with writing(late):
        await settled(late)
    assert await written.entries() == ["a", "b"]
    assert counted(written, "unwritable") == 1

    prompt = written.owner()
    async with writing(prompt):
        prompt.note("another", [nameless])
        prompt.note(UNIVERSE, [action("c")])
        await settled(prompt)
        assert not prompt.is_due("another")
    assert await written.entries() == ["a", "b", "c"]
    assert counted(written, "unwritable") == 1
    assert counted(written, "written") == 1


async def test_what_says_that_it_was_at_no_time_is_written_all_the_same(written: Written) -> None:
    never = action("never", at=NO_TIME)
    await written.stores(never)
    owner = written.owner()
    owner.resume(loaded(never))
    async with writing(owner):
        await settled(owner)
    assert await written.entries() == ["never"]


class OneUnreadable(Journal):
    """A journal in which a universe's log cannot be read at the moment."""

    unreadable = "lost"

    async def records(self, universe_id: str, **part: Any) -> list[RecentRecord]:
        if universe_id == self.unreadable:
            raise BusUnavailable("no leader")
        return await super().records(universe_id, **part)


async def test_a_log_that_cannot_be_read_keeps_no_other_universe_waiting(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "PAUSE_S", 0.0)
    monkeypatch.setattr(written.journal, "__class__", OneUnreadable)
    await written.stores(action("a"))
    owner = written.owner()
    lost = loaded(action("z"))
    owner.resume(lost.later(id=OneUnreadable.unreadable))
    owner.resume(loaded(action("a")))
    async with writing(owner):
        await settled(owner)
        assert owner.is_due(OneUnreadable.unreadable)
    assert await written.entries() == ["a"]
