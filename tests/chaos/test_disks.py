"""A broker whose disk fills up, and one that comes back with less of it."""

from pathlib import Path

import pytest

from chaos.disks import NoFileSystem, full_disk
from chaos.product import failures


async def test_a_disk_that_was_full_costs_nothing_that_was_acknowledged(logs: Path) -> None:
    """And one that is smaller than before is enough, if it holds what there is."""
    try:
        seen = await full_disk(logs)
    except NoFileSystem as error:
        pytest.skip(f"no file system of its own: {error}")
    assert seen.faults == []
    assert seen.reasons <= {"OUTCOME_UNKNOWN", "OVERDUE", "STORAGE_FULL", "INTERNAL_ERROR"}
    assert failures(logs) == []
