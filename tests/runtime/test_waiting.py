"""What a process says while its start waits for something."""

import asyncio

from structlog.testing import capture_logs

from harmonic_runtime.process.lifecycle import Process
from harmonic_runtime.process.settings import ServiceSettings
from harness.broker import count
from harness.virtual_time import run


def test_it_says_every_ten_seconds_what_it_waits_for_and_for_how_long() -> None:
    async def wait() -> None:
        process = Process(ServiceSettings(), "test")
        with process.waiting_for("the moon"):
            await asyncio.sleep(25)

    with capture_logs() as lines:
        run(wait())

    assert lines == [
        {"event": "waiting", "log_level": "info", "waiting_for": "the moon", "since_s": since_s}
        for since_s in (10, 20)
    ]


def test_a_metric_and_the_readiness_tell_of_it_while_it_lasts() -> None:
    async def seen() -> list[tuple[float, dict[str, str]]]:
        process = Process(ServiceSettings(), "test")

        def look() -> tuple[float, dict[str, str]]:
            return count(process.metrics, "waiting_to_start"), process.readiness.describe()

        looks = [look()]
        with process.waiting_for("the moon"):
            looks.append(look())
        return [*looks, look()]

    assert run(seen()) == [
        (0.0, {"status": "starting"}),
        (1.0, {"status": "starting", "waitingFor": "the moon"}),
        (0.0, {"status": "starting"}),
    ]
