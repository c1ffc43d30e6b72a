"""What goes wrong behind the gateways shows in the metrics named for it, and in no other."""

from pathlib import Path

import pytest

from operate.faults import OF_SERVICES, check_shown


@pytest.mark.parametrize("name", OF_SERVICES)
async def test_a_fault_shows_in_the_metrics_named_for_it_and_in_no_other(
    tmp_path: Path, name: str
) -> None:
    await check_shown(tmp_path / "stack", name)
