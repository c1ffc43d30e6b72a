"""The domain's properties hold with an extension: they read the catalogue, which has it then."""

import os
import subprocess
import sys

from extensions.conftest import TESTS


def test_the_properties_of_the_domain_hold_for_an_added_set() -> None:
    tested = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-v", "-n0", "-p", "extensions.loaded"),
            "tests/state_service/test_properties.py",
        ],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert tested.returncode == 0, tested.stdout
    assert "is_asked[UpdateTide] PASSED" in tested.stdout
