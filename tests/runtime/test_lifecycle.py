"""A process's life, seen from outside: what it says, in which order, and how it ends."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIVES = Path(__file__).with_name("lives.py")


@dataclass(frozen=True)
class Life:
    status: int
    said: list[str]
    logged: list[dict[str, Any]]

    @property
    def events(self) -> list[str]:
        return [line["event"] for line in self.logged]


async def live(name: str, **settings: str) -> Life:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(LIVES),
        name,
        env={**os.environ, **{f"HARMONIC_{key}": value for key, value in settings.items()}},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    lines = output.decode().splitlines()
    return Life(
        status=process.returncode or 0,
        said=[line for line in lines if not line.startswith("{")],
        logged=[json.loads(line) for line in lines if line.startswith("{")],
    )


async def test_a_process_stops_in_the_reverse_of_its_start() -> None:
    life = await live("ordered")
    assert life.said == [
        "enter bus",
        "enter server",
        "state draining",
        "leave server",
        "leave bus",
    ]
    assert life.events == ["ready", "signal", "stopping", "stopped"]
    assert life.status == 0


async def test_background_work_ends_before_what_it_needs() -> None:
    life = await live("working")
    assert life.said == ["enter bus", "enter work", "leave work", "leave bus"]
    assert life.status == 0


async def test_a_start_can_be_interrupted() -> None:
    life = await live("interrupted")
    assert life.said == ["enter bus", "leave bus"]
    assert "ready" not in life.events
    assert life.status == 0


async def test_a_process_that_cannot_start_says_why_and_leaves_what_it_had() -> None:
    life = await live("refusing")
    assert life.said == ["enter bus", "leave bus"]
    # One line, although it was raised in a group.
    assert life.events == ["cannot_start", "stopped"]
    assert life.logged[0]["reason"] == "The moon is missing: see HARMONIC_MOON."
    assert life.status == 3


async def test_a_variable_that_nobody_knows_is_warned_of_once() -> None:
    life = await live("ordered", STOP_TIMEOUT="1")
    (warning,) = [line for line in life.logged if line["event"] == "unknown_variable"]
    assert warning["variable"] == "HARMONIC_STOP_TIMEOUT"
    assert warning["nearest"] == "HARMONIC_STOP_TIMEOUT_S"
    assert life.status == 0


async def test_a_process_does_not_live_on_without_one_of_its_tasks() -> None:
    life = await live("failing")
    assert life.said == ["enter bus", "leave bus"]
    assert {"task_failed", "process_failed"} <= set(life.events)
    assert life.status == 1


async def test_a_stop_that_takes_too_long_is_cut_short() -> None:
    life = await live("stuck", STOP_TIMEOUT_S="0.1")
    assert life.events[-1] == "stopped"
    assert "the stop took longer than 0.1 s" in life.logged[-1]["failure"]
    assert life.status == 1


async def test_a_process_that_ignores_being_cut_short_is_ended() -> None:
    life = await live("deaf", STOP_TIMEOUT_S="0.1")
    assert life.events[-1] == "process_failed"
    assert life.status == 1


async def test_a_second_signal_ends_a_process_at_once() -> None:
    life = await live("impatient", STOP_TIMEOUT_S="60")
    assert life.events[-1] == "stopping"
    assert life.status == 1
