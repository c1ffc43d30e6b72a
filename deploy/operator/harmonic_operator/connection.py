"""The life of a command: it opens the bus, does its work, and ends with an exit status.

======  ============================================================
``0``   done, and nothing is wrong
``1``   not done, or something is wrong
``2``   the command line or the settings cannot be used
``3``   the bus cannot be reached
======  ============================================================
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

import typer

from harmonic_operator.brokers import of_brokers
from harmonic_operator.settings import OperatorSettings
from harmonic_runtime.bus.client import Bus, BusUnavailable, open_bus
from harmonic_runtime.bus.greeting import BrokerGreeting, greetings
from harmonic_runtime.bus.streams import StreamFull
from harmonic_runtime.observability.logs import configure_logs, get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import SystemClock
from harmonic_runtime.process.failures import CannotStart
from harmonic_runtime.process.settings import load_settings

DONE, FAILED, UNREACHABLE = 0, 1, 3


class NotDone(Exception):
    """The request was not carried out, or something is wrong; the text says what."""


def run(work: Callable[[Bus], Awaitable[None]], settings: OperatorSettings | None = None) -> None:
    """Run a command over the bus, and end with its exit status."""
    finish(_connected(settings or load_quietly(), work))


def load_quietly() -> OperatorSettings:
    """The settings; of the runtime's logs, only errors are shown, on standard error."""
    settings = load_settings(OperatorSettings)
    quiet = settings.model_copy(update={"log_level": "error"})
    configure_logs("operator", quiet, sys.stderr)
    return settings


def finish(work: Awaitable[None]) -> None:
    """Run a command, and end with its exit status."""
    try:
        asyncio.run(_awaited(work))
    except NotDone as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(FAILED) from error
    except CannotStart as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(UNREACHABLE) from error
    except (BusUnavailable, StreamFull) as error:
        sys.stderr.write(f"The bus did not do it: {error}.\n")
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(130) from error


async def _awaited(work: Awaitable[None]) -> None:
    await work


async def greet(settings: OperatorSettings) -> Sequence[BrokerGreeting]:
    """The greetings of all brokers; empty if the own certificates cannot be used."""
    try:
        return await greetings(settings)
    except OSError:
        return ()


async def _connected(settings: OperatorSettings, work: Callable[[Bus], Awaitable[None]]) -> None:
    """Work over the bus; raise :class:`CannotStart` with each broker's problem if none answers.

    One broker that answers is enough.
    """
    try:
        async with open_bus(
            settings, name="operator", log=get_log(), metrics=Metrics(), on_closed=lambda: None
        ) as bus:
            await work(bus)
    except CannotStart as error:
        now = SystemClock().now()
        found = of_brokers(await greet(settings), at=now, renewed_until=now)
        raise CannotStart("\n".join([str(error), *found])) from error
