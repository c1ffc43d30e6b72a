"""``harmonic``: what operators do to a running product, over its bus."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

import uvloop

from harmonic_gateway.identity.revocations import revoke
from harmonic_protocol import subjects
from harmonic_runtime.bus.client import BusUnavailable, open_bus
from harmonic_runtime.bus.streams import StreamFull, Streams
from harmonic_runtime.observability.logs import configure_logs, get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import SystemClock
from harmonic_runtime.process.failures import CannotStart
from harmonic_runtime.process.settings import ServiceSettings, load_settings

STORE_TIMEOUT_S = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = _parser().parse_args(arguments)
    settings = load_settings(ServiceSettings)
    configure_logs("operator", settings.model_copy(update={"log_level": "error"}))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_revoke(settings, options.user, options.jti))
        except (BusUnavailable, CannotStart, StreamFull) as error:
            sys.stderr.write(f"Nothing was revoked: {error}\n")
            return 1
    what = f"All tokens of {options.user}" if options.user else f"The token {options.jti}"
    sys.stdout.write(f"{what} issued until now: revoked, on every gateway.\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="harmonic", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    revoking = commands.add_parser("revoke", help="have tokens refused from now on")
    which = revoking.add_mutually_exclusive_group(required=True)
    which.add_argument("--user", help="all tokens of this user that were issued until now")
    which.add_argument("--jti", help="the token with this id")
    return parser


async def _revoke(settings: ServiceSettings, user: str | None, jti: str | None) -> None:
    subject = subjects.revoked_user(user) if user else subjects.revoked_token(str(jti))
    async with open_bus(
        settings,
        name="operator",
        log=get_log(),
        metrics=Metrics(),
        on_closed=lambda: None,
    ) as bus:
        now_s = SystemClock().now().timestamp()
        await revoke(Streams(bus), subject, now_s, STORE_TIMEOUT_S)


if __name__ == "__main__":
    sys.exit(main())
