"""The command line of a service: run it, check its settings, ask whether it is ready.

======================  =====================================================================
``harmonic-…``          runs one replica until a signal
``harmonic-… check``    prints the settings in force, secrets masked; status 0, or 2
``… check --ready``     asks the replica that runs here whether it is ready; status 0, or 1
======================  =====================================================================
"""

import argparse
import http.client
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import metadata
from typing import TypeVar

from harmonic_runtime.process.lifecycle import (
    CANNOT_START_STATUS,
    FAILED_STATUS,
    Process,
    run_service,
)
from harmonic_runtime.process.reference import describe_in_force
from harmonic_runtime.process.settings import (
    INVALID_SETTINGS_STATUS,
    ServiceSettings,
    load_settings,
)
from harmonic_runtime.process.variables import unknown_variables

READY_TIMEOUT_S = 5.0
_EXIT_STATUSES = f"""exit status:
  0  stopped in order, or checked without a problem
  {FAILED_STATUS}  failed while it ran, or is not ready
  {INVALID_SETTINGS_STATUS}  the settings cannot be used
  {CANNOT_START_STATUS}  something that it needs to start is missing

Settings are environment variables that begin with HARMONIC_."""

S = TypeVar("S", bound=ServiceSettings)


def run_command(
    cls: type[S],
    compose: Callable[[Process[S]], AbstractAsyncContextManager[None]],
    *,
    others: Mapping[str, Callable[[], int]] | None = None,
    arguments: Sequence[str] | None = None,
) -> int:
    """Carry out what the command line asks for; the exit status.

    ``others`` are commands of this service alone: the first line of what carries one out says what
    it does.
    """
    others = others or {}
    options = _parser(cls.service, others).parse_args(arguments)
    command = others.get(options.command)
    if command is not None:
        return command()
    settings = load_settings(cls)
    if options.command == "serve":
        return run_service(settings, compose, service=cls.service)
    if options.ready:
        return _ask_ready(settings)
    for name, nearest in unknown_variables(os.environ):
        sys.stderr.write(f"{name} is no setting of any service; the nearest is {nearest}.\n")
    sys.stdout.write(describe_in_force(settings))
    return 0


def _parser(service: str, others: Mapping[str, Callable[[], int]]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"harmonic-{service}",
        description=f"One replica of the {service} service of Harmonic Universe.",
        epilog=_EXIT_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    version = metadata.version(f"harmonic-{service}")
    parser.add_argument("--version", action="version", version=f"harmonic-{service} {version}")
    parser.add_argument(
        "command",
        nargs="?",
        choices=("serve", "check", *others),
        default="serve",
        help=" ".join(
            [
                "serve: run until a signal (default). check: print the settings in force.",
                *(f"{name}: {command.__doc__}" for name, command in others.items()),
            ]
        ),
    )
    parser.add_argument(
        "--ready", action="store_true", help="with check: ask the replica that runs here instead"
    )
    return parser


def _ask_ready(settings: ServiceSettings) -> int:
    """Ask the operations port of the replica that runs with these settings here."""
    host = "127.0.0.1" if settings.ops_host in {"0.0.0.0", "::"} else settings.ops_host  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.ops_port, timeout=READY_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        sys.stdout.write(f"No answer at {host}:{settings.ops_port}: {type(error).__name__}\n")
        return FAILED_STATUS
    finally:
        connection.close()
    sys.stdout.write(f"{text}\n")
    return 0 if answer.status == http.client.OK else FAILED_STATUS
