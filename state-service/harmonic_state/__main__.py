"""``python -m harmonic_state``: one replica of the state service."""

import sys

from harmonic_runtime.process.lifecycle import run_service
from harmonic_runtime.process.settings import load_settings
from harmonic_state.settings import StateSettings


def main() -> int:
    """Run until a signal; the exit status."""
    settings = load_settings(StateSettings)
    # Settings load extensions: the catalogue, and all that stands on it, is made after that.
    from harmonic_state.service import state_service  # noqa: PLC0415

    return run_service(settings, state_service, service="state")


if __name__ == "__main__":
    sys.exit(main())
