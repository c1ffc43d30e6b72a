"""``python -m harmonic_state``: one replica of the state service."""

import sys
from contextlib import AbstractAsyncContextManager

from harmonic_runtime.process.commands import run_command
from harmonic_runtime.process.lifecycle import Process
from harmonic_state.settings import StateSettings


def main() -> int:
    """Carry out what the command line asks for; the exit status."""
    return run_command(StateSettings, _compose)


def _compose(process: Process[StateSettings]) -> AbstractAsyncContextManager[None]:
    # Settings load extensions: the catalogue, and all that stands on it, is made after that.
    from harmonic_state.service import state_service  # noqa: PLC0415

    return state_service(process)


if __name__ == "__main__":
    sys.exit(main())
