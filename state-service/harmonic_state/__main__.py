"""``python -m harmonic_state``: one replica of the state service."""

import sys

from harmonic_runtime.process.commands import run_command
from harmonic_state.service import state_service
from harmonic_state.settings import StateSettings


def main() -> int:
    """Carry out what the command line asks for; the exit status."""
    return run_command(StateSettings, state_service)


if __name__ == "__main__":
    sys.exit(main())
