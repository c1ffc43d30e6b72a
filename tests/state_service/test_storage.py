"""The streams' layout: as recorded for each version, and each version's data good for the next."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harmonic_protocol import subjects
from harmonic_protocol.leasing import METADATA
from harmonic_protocol.messages.declaration import RateClass
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.jetstream import call
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.process.failures import CannotStart
from harmonic_state.journal import Journal
from harmonic_state.service import record_ids
from harmonic_state.settings import StateSettings
from harmonic_state.storage import LAYOUT_VERSION, hint, stream_configs
from state_service.builders import UNIVERSE, caller, command, open_universe, skipped_messages

LAYOUTS = Path(__file__).with_name("layouts")
RECORDED: dict[int, list[dict[str, Any]]] = {
    int(file.stem.partition("-")[0]): json.loads(file.read_text())
    for file in LAYOUTS.glob("*.json")
}


async def set_up(streams: Streams, layout: list[dict[str, Any]], version: int) -> None:
    for config in layout:
        await streams.ensure(config, version=version)


def test_what_is_set_up_is_what_was_recorded_for_this_version() -> None:
    now = json.loads(json.dumps(stream_configs(StateSettings())))
    assert now == RECORDED[LAYOUT_VERSION], (
        "the layout changed: raise LAYOUT_VERSION and record it beside the others"
    )


@pytest.mark.parametrize("before", RECORDED)
async def test_data_of_a_recorded_layout_is_good_after_a_change(own_bus: Bus, before: int) -> None:
    streams = Streams(own_bus)
    await set_up(streams, RECORDED[before], before)
    journal = Journal(streams, StateSettings(), record_ids("test"), skipped_messages())
    history = open_universe()
    history.does(command("join_room", mode="edit"), caller("ann"))
    record, _ = await journal.append(UNIVERSE, "2024-03-21T10:30:00.000Z", history.events, 0)
    changed = json.loads(
        json.dumps(stream_configs(StateSettings(log_records=32_768, allowed_parameter_updates=120)))
    )
    await set_up(streams, changed, LAYOUT_VERSION + 1)
    loaded, _ = await journal.load(UNIVERSE)
    assert (loaded.universe, loaded.position) == (history.now, record.position)
    await journal.save_snapshot(UNIVERSE, loaded)
    info = await call(own_bus, f"STREAM.INFO.{subjects.log_stream_of(UNIVERSE)}", {})
    assert info["config"]["max_msgs_per_subject"] == 32_768


async def test_an_older_version_leaves_a_newer_ones_streams_alone(own_bus: Bus) -> None:
    streams = Streams(own_bus)
    newer = json.loads(json.dumps(stream_configs(StateSettings(log_records=32_768))))
    await set_up(streams, newer, LAYOUT_VERSION + 1)
    for config in RECORDED[LAYOUT_VERSION]:
        found = await streams.ensure(config, version=LAYOUT_VERSION)
        # What is not in force is told.
        is_log = str(config["name"]).startswith("HU_LOG_")
        left = {"max_msgs_per_subject": (32_768, 16_384)} if is_log else {}
        assert found == ({}, left), config["name"]
    for number in range(subjects.LOG_STREAMS):
        info = await call(own_bus, f"STREAM.INFO.{subjects.log_stream(number)}", {})
        assert info["config"]["max_msgs_per_subject"] == 32_768


@pytest.mark.parametrize(
    ("chosen", "least"),
    [
        ({"log_records": 5119}, 5120),
        ({"history_snapshots": 100, "log_records": 16_384}, 26_624),
        ({"snapshot_every_records": 10_000}, 180_512),
    ],
)
def test_a_log_has_space_for_its_history_and_for_those_who_leave(
    chosen: dict[str, int], least: int
) -> None:
    with pytest.raises(ValidationError, match=rf"HARMONIC_LOG_RECORDS must be at least {least},"):
        StateSettings.model_validate(chosen)
    StateSettings.model_validate({**chosen, "log_records": least})


async def test_what_is_set_up_already_is_asked_and_not_made_again(own_bus: Bus) -> None:
    streams = Streams(own_bus)
    configs = stream_configs(StateSettings())
    await set_up(streams, [dict(config) for config in configs], LAYOUT_VERSION)
    for config in configs:
        before = await call(own_bus, f"STREAM.INFO.{config['name']}", {})
        assert await streams.ensure(config, version=LAYOUT_VERSION) == ({}, {})
        after = await call(own_bus, f"STREAM.INFO.{config['name']}", {})
        assert after["config"] == before["config"]


async def test_settings_that_changed_are_applied_to_the_streams_that_are_there(
    own_bus: Bus,
) -> None:
    streams = Streams(own_bus)
    before, now = StateSettings(), StateSettings(log_records=9_000, allowed_parameter_updates=7)
    await set_up(streams, [dict(config) for config in stream_configs(before)], LAYOUT_VERSION)
    changed = {}
    for config in stream_configs(now):
        changes = (await streams.ensure(config, version=LAYOUT_VERSION)).changed
        if changes:
            changed[config["name"]] = changes
    assert changed.pop("HU_LIMIT_PARAMETERS") == {"max_msgs_per_subject": (60, 7)}
    assert changed == {
        subjects.log_stream(number): {"max_msgs_per_subject": (16_384, 9_000)}
        for number in range(subjects.LOG_STREAMS)
    }


async def test_half_of_an_allowance_is_leased_once_that_is_switched_on_and_no_more_after(
    own_bus: Bus,
) -> None:
    streams = Streams(own_bus)
    await set_up(streams, [dict(config) for config in stream_configs(StateSettings())], 1)
    for leases, division, before, singly in ((True, "4x7", 60, 32), (False, "0x0", 32, 60)):
        changed = {}
        for config in stream_configs(StateSettings(leases_allowances=leases)):
            found = await streams.ensure(config, version=1)
            assert await streams.ensure(config, version=1) == ({}, {})
            if found.changed:
                changed[config["name"]] = dict(found.changed)
        ((name, changes),) = changed.items()
        assert name == subjects.limit_stream(RateClass.PARAMETERS)
        assert changes.pop("max_msgs_per_subject") == (before, singly)
        (_, said) = changes.pop("metadata")
        assert (said, changes) == ({METADATA: division}, {})


async def test_replicas_that_the_broker_cannot_keep_are_refused_by_name(own_bus: Bus) -> None:
    streams = Streams(own_bus)
    config, *_ = stream_configs(StateSettings())
    await streams.ensure(config, version=LAYOUT_VERSION)
    config, *_ = stream_configs(StateSettings(stream_replicas=3))
    says = r"HU_LOG_0 cannot .* 3 brokers, as HARMONIC_STREAM_REPLICAS says\): .*replicas"
    with pytest.raises(CannotStart, match=says):
        await streams.ensure(config, version=LAYOUT_VERSION, hint=hint(config))


def test_a_stream_that_needs_much_of_three_brokers_is_told_with_both_settings() -> None:
    (config,) = [
        config
        for config in stream_configs(StateSettings(stream_replicas=3, notes_stream_bytes=2**30))
        if config["name"] == subjects.NOTES_STREAM
    ]
    assert hint(config) == (
        "(it reserves 1073741824 bytes of each broker's disk, as HARMONIC_NOTES_STREAM_BYTES says;"
        " it needs a cluster of 3 brokers, as HARMONIC_STREAM_REPLICAS says)"
    )


def test_a_stream_in_memory_is_told_with_what_it_reserves() -> None:
    by_name = {config["name"]: config for config in stream_configs(StateSettings())}
    assert hint(by_name[subjects.BARS_STREAM]) == (
        "(it reserves 67108864 bytes of each broker's memory: raise max_memory_store there)"
    )
    assert hint(by_name[subjects.REVOCATIONS_STREAM]) == ""


async def test_a_disk_that_is_too_small_is_told_with_the_setting(
    own_bus: Bus,
) -> None:
    config = next(
        config
        for config in stream_configs(StateSettings(snapshot_stream_bytes=2**60))
        if config["name"] == subjects.SNAPSHOT_STREAM
    )
    with pytest.raises(CannotStart, match=r"HARMONIC_SNAPSHOT_STREAM_BYTES says\): .*storage"):
        await Streams(own_bus, patience_s=0.5).ensure(
            config, version=LAYOUT_VERSION, hint=hint(config)
        )
