"""Processes of an instance, and what is kept in its folder, where something goes wrong."""

import fcntl
import sys
import threading
from pathlib import Path

import pytest

from harmonic_local.console import Console
from harmonic_local.instance import AlreadyRunning, alone, jwt_secret
from harmonic_local.processes import MAX_LINE_BYTES, Managed
from harmonic_local.run import seed
from harmonic_local.stack import StackPlan, planned


@pytest.mark.parametrize("end", [r"\n", ""])
async def test_a_line_that_is_too_long_stops_neither_its_process_nor_its_reader(end: str) -> None:
    """More is written than a pipe holds, so that a process whose output is not read hangs."""
    said: list[str] = []
    long = f"print('x' * {3 * MAX_LINE_BYTES}, flush=True);"
    process = Managed(
        name="talker",
        command=[
            *(sys.executable, "-c"),
            f"print('ready'); {long} print('then'); {long} print('last', end='{end}')",
        ],
        environment={},
        output=lambda _, line: said.append(line),
        sign=lambda line: line == "ready",
    )

    await process.start()
    assert await process.ended() == 0
    await process.stop()

    assert [line for line in said if "left out" not in line] == ["ready", "then", "last"]
    assert max(map(len, said)) < MAX_LINE_BYTES
    assert len(said) == 5


def test_a_secret_that_was_cut_off_while_it_was_written_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "jwt-secret").touch()

    made = jwt_secret(tmp_path)

    assert len(made) > 32
    assert jwt_secret(tmp_path) == made
    assert (tmp_path / "jwt-secret").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["jwt-secret"]


def test_who_only_asks_keeps_no_instance_from_starting(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as asking:
        fcntl.flock(asking, fcntl.LOCK_EX)
        with pytest.raises(AlreadyRunning), alone(tmp_path):
            pass
        threading.Timer(0.1, asking.close).start()
        with alone(tmp_path, patience_s=30.0):
            pass


async def test_an_instance_whose_gateway_does_not_answer_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = StackPlan(data=tmp_path, jwt_secret="the tests' own secret, long enough")
    await seed(planned(plan, lambda _name, _line: None), Console(on_lost=lambda: None))
    assert "universe-123 could not be made: Cannot connect" in capsys.readouterr().out
