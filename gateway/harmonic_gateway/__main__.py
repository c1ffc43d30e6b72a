"""``python -m harmonic_gateway``: one replica of the gateway."""

import sys

from harmonic_gateway.service import gateway
from harmonic_gateway.settings import GatewaySettings
from harmonic_runtime.process.commands import run_command


def main() -> int:
    """Carry out what the command line asks for; the exit status."""
    return run_command(GatewaySettings, gateway)


if __name__ == "__main__":
    sys.exit(main())
