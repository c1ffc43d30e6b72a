"""``python -m harmonic_gateway``: one replica of the gateway."""

import sys
from contextlib import AbstractAsyncContextManager

from harmonic_gateway.settings import GatewaySettings
from harmonic_runtime.process.commands import run_command
from harmonic_runtime.process.lifecycle import Process


def main() -> int:
    """Carry out what the command line asks for; return the exit status."""
    return run_command(GatewaySettings, _compose)


def _compose(process: Process[GatewaySettings]) -> AbstractAsyncContextManager[None]:
    # Settings load extensions. The catalogue, and all modules that use it, are imported after that.
    from harmonic_gateway.service import gateway  # noqa: PLC0415

    return gateway(process)


if __name__ == "__main__":
    sys.exit(main())
