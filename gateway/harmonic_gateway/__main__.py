"""``python -m harmonic_gateway``: one replica of the gateway."""

import sys

from harmonic_gateway.service import gateway
from harmonic_gateway.settings import GatewaySettings
from harmonic_runtime.process.lifecycle import run_service
from harmonic_runtime.process.settings import load_settings


def main() -> int:
    """Run until a signal; the exit status."""
    return run_service(load_settings(GatewaySettings), gateway, service="gateway")


if __name__ == "__main__":
    sys.exit(main())
