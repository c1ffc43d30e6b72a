"""One more gateway of a running product, whose messages with the broker can be held."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from harmonic_local.processes import Managed, free_port
from harmonic_local.stack import Stack
from harness.held_bus import HeldBus, held_bus


@asynccontextmanager
async def held_gateway(
    stack: Stack, folder: Path, **settings: str
) -> AsyncIterator[tuple[str, HeldBus]]:
    """The gateway's address, and its way to the broker; its log must hold no traceback."""
    log = folder / "held-gateway.log"
    port = free_port()
    async with held_bus(stack.broker_urls[0]) as bus:
        first = stack.gateways[0]
        environment = {
            **first.environment,
            "HARMONIC_NATS_URL": bus.url,
            "HARMONIC_PORT": str(port),
            "HARMONIC_OPS_PORT": str(free_port()),
            "HARMONIC_INSTANCE": "held-gateway",
            **settings,
        }

        def output(_: str, line: str) -> None:
            with log.open("a") as file:
                file.write(line + "\n")

        gateway = Managed("held-gateway", first.command, environment, output, first.sign)
        await gateway.start()
        yield f"http://127.0.0.1:{port}", bus
        await gateway.stop()
        assert "Traceback" not in log.read_text()
