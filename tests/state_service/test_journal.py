"""Storing universes: fenced, covered by snapshots, and never trimmed without one."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harmonic_protocol import subjects
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.jetstream import call
from harmonic_runtime.bus.streams import StreamFull, Streams
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.mending import history_lost
from harmonic_state.domain.universe import Universe
from harmonic_state.journal import (
    MAX_RECORD_BYTES,
    Conflict,
    Journal,
    RecordTooLarge,
)
from harmonic_state.loaded import Loaded
from harmonic_state.settings import StateSettings
from harness.broker import connected, running_broker
from state_service.builders import UNIVERSE, History, caller, command, created, open_universe
from state_service.conftest import OpenJournal, set_up

AT = "2024-03-21T10:30:00.000Z"
ANN = caller("ann")


async def store(journal: Journal, loaded: Loaded, events: Sequence[LogEvent]) -> Loaded:
    record, _ = await journal.append(UNIVERSE, AT, events, loaded.position)
    return loaded.then(fold(loaded.universe, events), record.position, record.id)


async def storing(journal: Journal, history: History, updates: int) -> Loaded:
    """A universe with so many updates in its log, one a record."""
    loaded = await store(journal, Loaded(None, 0), history.events)
    for number in range(updates):
        update = command("update_physics", parameters={"gravity": number % 20})
        loaded = await store(journal, loaded, history.does(update, ANN))
    return loaded


def edited() -> History:
    history = open_universe()
    history.does(command("join_room", mode="edit"), ANN)
    return history


async def stored_records(bus: Bus) -> int:
    """How many records lie in the universe's log stream."""
    answer = await call(bus, f"STREAM.INFO.{subjects.log_stream_of(UNIVERSE)}", {})
    messages: int = answer["state"]["messages"]
    return messages


async def test_what_was_stored_is_loaded_with_and_without_a_snapshot(
    journal_with: OpenJournal,
) -> None:
    journal = await journal_with()
    history = edited()
    loaded = await storing(journal, history, 5)
    bare, records = await journal.load(UNIVERSE)
    assert (bare.universe, bare.position, len(records)) == (history.now, loaded.position, 6)
    await journal.save_snapshot(UNIVERSE, loaded)
    covered, records = await journal.load(UNIVERSE)
    assert (covered.universe, covered.position, records) == (history.now, loaded.position, [])
    later = await store(journal, covered, history.does(command("leave_room"), ANN))
    again, records = await journal.load(UNIVERSE)
    assert (again.universe, again.position, len(records)) == (history.now, later.position, 1)


async def test_of_two_writers_at_one_position_one_is_refused_and_reads_the_other(
    journal_with: OpenJournal,
) -> None:
    journal = await journal_with()
    history = edited()
    loaded = await storing(journal, history, 0)
    updates = [
        History(history.now, milliseconds=9).does(
            command("update_physics", parameters={"gravity": gravity}), ANN
        )
        for gravity in (1, 2)
    ]
    outcomes = await asyncio.gather(
        *(store(journal, loaded, events) for events in updates), return_exceptions=True
    )
    assert sorted(isinstance(outcome, Conflict) for outcome in outcomes) == [False, True]
    winner = next(outcome for outcome in outcomes if isinstance(outcome, Loaded))
    caught_up, records = await journal.advance(UNIVERSE, loaded)
    assert caught_up.universe == winner.universe
    assert [record.previous for record in records] == [loaded.position]


async def test_a_position_is_confirmed_only_at_the_end_of_the_log(
    journal_with: OpenJournal,
) -> None:
    journal = await journal_with()
    assert await journal.confirm(UNIVERSE, 0) == 0
    loaded = await storing(journal, edited(), 1)
    assert await journal.confirm(UNIVERSE, loaded.position) == loaded.position
    with pytest.raises(Conflict):
        await journal.confirm(UNIVERSE, 0)


async def test_history_is_kept_back_to_so_many_snapshots_and_no_further(
    journal_with: OpenJournal, own_bus: Bus
) -> None:
    journal = await journal_with(history_snapshots=2)
    history = edited()
    loaded = await storing(journal, history, 0)
    for _ in range(4):
        for _ in range(3):
            update = command("update_music", parameters={"tempo": 90})
            loaded = await store(journal, loaded, history.does(update, ANN))
        loaded = replace(loaded, coverage=await journal.save_snapshot(UNIVERSE, loaded))
    assert len(loaded.coverage.marks) == 2
    assert await stored_records(own_bus) == 4
    assert (await journal.load(UNIVERSE))[0] == loaded
    kept = await journal.records(UNIVERSE, after_position=0)
    assert kept[0].position == loaded.coverage.marks[0]


async def test_the_end_of_a_log_is_never_trimmed(journal_with: OpenJournal) -> None:
    journal = await journal_with(history_snapshots=1)
    history = edited()
    loaded = await storing(journal, history, 1)
    for _ in range(3):
        for _ in range(2):
            coverage = await journal.save_snapshot(UNIVERSE, loaded)
            loaded = replace(loaded, coverage=coverage)
        update = command("update_music", parameters={"tempo": 90})
        loaded = await store(journal, loaded, history.does(update, ANN))
    assert (await journal.load(UNIVERSE))[0].universe == history.now


async def test_an_older_owners_snapshot_does_not_replace_a_newer_ones(
    journal_with: OpenJournal,
) -> None:
    journal = await journal_with()
    history = edited()
    stale = await storing(journal, history, 1)
    newer = await store(
        journal,
        stale,
        history.does(command("update_physics", parameters={"gravity": 7}), ANN),
    )
    coverage = await journal.save_snapshot(UNIVERSE, newer)
    assert await journal.save_snapshot(UNIVERSE, stale) == coverage
    assert (await journal.load(UNIVERSE))[0].universe == history.now


async def test_without_room_for_snapshots_the_log_fills_and_then_refuses(
    journal_with: OpenJournal, own_bus: Bus
) -> None:
    journal = await journal_with(
        snapshot_stream_bytes=2**20,
        log_records=1024,
        history_snapshots=1,
        snapshot_every_records=100,
    )
    await Streams(own_bus).append(subjects.snapshot("other"), b"x" * 900_000, timeout_s=2)
    await Streams(own_bus).append(subjects.snapshot("another"), b"x" * 148_000, timeout_s=2)
    history = edited()
    loaded = await storing(journal, history, 1023)
    with pytest.raises(StreamFull):
        await journal.save_snapshot(UNIVERSE, loaded)
    update = history.does(command("update_music", parameters={"tempo": 90}), ANN)
    with pytest.raises(StreamFull):
        await store(journal, loaded, update)
    assert await stored_records(own_bus) == 1024
    await Streams(own_bus).purge(subjects.SNAPSHOT_STREAM, subjects.snapshot("other"))
    marks = (await journal.save_snapshot(UNIVERSE, loaded)).marks
    assert marks == (loaded.position,)


async def test_a_deleted_universe_leaves_its_tombstone_and_nothing_else(
    journal_with: OpenJournal, own_bus: Bus
) -> None:
    journal, streams = await journal_with(), Streams(own_bus)
    history = created(name="A secret name")
    loaded = await store(journal, Loaded(None, 0), history.events)
    coverage = await journal.save_snapshot(UNIVERSE, loaded)
    await streams.append(subjects.notes(UNIVERSE, "piece"), b"notes", timeout_s=2)
    await streams.append(subjects.midi(UNIVERSE, "piece"), b"midi", timeout_s=2)
    deletion = history.does(command("delete_universe"), caller("owner"))
    loaded = await store(journal, replace(loaded, coverage=coverage), deletion)
    await journal.erase(UNIVERSE, loaded)
    tombstone, records = await journal.load(UNIVERSE)
    assert isinstance(tombstone.universe, Universe)
    assert tombstone.universe.deleted
    assert records == []
    assert await stored_records(own_bus) == 1
    for name in (subjects.NOTES_STREAM, subjects.SNAPSHOT_STREAM, subjects.log_stream_of("u")):
        for stored in await streams.read(name, ">", from_sequence=0, limit=100):
            assert b"secret" not in stored.payload
            assert stored.subject.split(".")[1] not in {"notes", "midi"}
    with pytest.raises(Conflict):
        await store(journal, Loaded(None, 0), history.events[:1])


async def test_a_record_that_no_message_can_hold_is_refused_before_it_is_sent(
    journal_with: OpenJournal,
) -> None:
    journal = await journal_with()
    history = created(name="x" * 100)
    many = history.events * (MAX_RECORD_BYTES // 200)
    with pytest.raises(RecordTooLarge):
        await journal.append(UNIVERSE, AT, many, 0)


async def test_the_ends_of_many_logs_are_read_in_few_questions(
    journal_with: OpenJournal,
) -> None:
    journal = await journal_with()
    events = created().events
    ends = {}
    for number in range(30):
        record, _ = await journal.append(f"u{number}", AT, events, 0)
        ends[f"u{number}"] = record.position
    found = await journal.newest([*ends, *(f"missing{number}" for number in range(600))])
    assert {name: record.position for name, record in found.items()} == ends


@pytest.mark.parametrize("in_memory", [False, True], ids=["restarted owner", "living owner"])
async def test_a_log_whose_last_record_cannot_be_read_goes_on(
    tmp_path: Path, *, in_memory: bool
) -> None:
    """The broker then takes the log for empty, and stores nothing after what it can read."""
    async with running_broker(tmp_path) as broker:
        async with connected(broker.url) as bus:
            journal = await set_up(Streams(bus), StateSettings())
            history = edited()
            last = await storing(journal, history, 3)
        await broker.process.stop()
        _spoil(tmp_path, last.record_id)
        await broker.process.start()
        async with connected(broker.url) as bus:
            journal = await set_up(Streams(bus), StateSettings())
            known = last if in_memory else (await journal.load(UNIVERSE))[0]
            assert known.position == last.position - (not in_memory)
            update = command("update_physics", parameters={"gravity": 19})
            with pytest.raises(Conflict):
                await store(journal, known, history.does(update, ANN))
            # The owner reads on, finds nothing that it does not know, and says that it lost some.
            found, newer = await journal.advance(UNIVERSE, known)
            assert (found.is_damaged, found.universe, newer) == (True, known.universe, [])
            assert known.universe is not None
            mended = await store(journal, found, [history_lost(known.universe, AT)])
            assert mended.position == last.position + 1
            await journal.save_snapshot(UNIVERSE, mended)
            on = await store(journal, mended, history.does(update, ANN))
            loaded, _ = await journal.load(UNIVERSE)
            assert (loaded.universe, loaded.position) == (on.universe, on.position)


def _spoil(data: Path, record_id: str) -> None:
    """Change a byte of a stored record."""
    stream = subjects.log_stream_of(UNIVERSE)
    (block,) = data.glob(f"jetstream/*/streams/{stream}/msgs/*.blk")
    content = bytearray(block.read_bytes())
    content[content.rindex(record_id.encode())] ^= 1
    block.write_bytes(content)
