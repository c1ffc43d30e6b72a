"""``python -m harmonic_gateway``: one replica of the gateway."""

import sys

from harmonic_gateway.settings import GatewaySettings
from harmonic_runtime.process.lifecycle import run_service
from harmonic_runtime.process.settings import load_settings


def main() -> int:
    """Run until a signal; the exit status."""
    settings = load_settings(GatewaySettings)
    # Settings load extensions: the catalogue, and all that stands on it, is made after that.
    from harmonic_gateway.service import gateway  # noqa: PLC0415

    return run_service(settings, gateway, service="gateway")


if __name__ == "__main__":
    sys.exit(main())
