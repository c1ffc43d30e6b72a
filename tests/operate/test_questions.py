"""What goes wrong for clients shows in the metrics named for it, in no other, and in status."""

from pathlib import Path

import pytest

from operate.faults import FAULTS, OF_CLIENTS, OF_SERVICES, check_shown
from operate.questions import QUESTIONS


def test_every_question_has_its_fault_and_is_asked_here_or_of_the_services() -> None:
    assert FAULTS.keys() == QUESTIONS.keys()
    assert {*OF_CLIENTS, *OF_SERVICES} == QUESTIONS.keys()


@pytest.mark.parametrize("name", OF_CLIENTS)
async def test_a_fault_shows_in_the_metrics_named_for_it_and_in_no_other(
    tmp_path: Path, name: str
) -> None:
    await check_shown(tmp_path / "stack", name)
