"""``python -m harmonic_state``: one replica of the state service."""

import sys

from harmonic_runtime.process.lifecycle import run_service
from harmonic_runtime.process.settings import load_settings
from harmonic_state.service import state_service
from harmonic_state.settings import StateSettings


def main() -> int:
    """Run until a signal; the exit status."""
    return run_service(load_settings(StateSettings), state_service, service="state")


if __name__ == "__main__":
    sys.exit(main())
