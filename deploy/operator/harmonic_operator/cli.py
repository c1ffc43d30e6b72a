"""The command line of ``harmonic``: its commands, their arguments and their examples."""

from enum import StrEnum
from importlib import metadata
from typing import Annotated

import typer

from harmonic_operator import gateways, rooms, steering
from harmonic_operator import status as status_command
from harmonic_operator.connection import run
from harmonic_operator.output import Json
from harmonic_protocol.messages.declaration import Switch
from harmonic_protocol.operating import MAX_BOUND_S, MAX_BUSIEST

EPILOG = (
    "Exit status: 0 done, and nothing is wrong; 1 not done, or something is wrong; 2 the command"
    " line or the settings cannot be used; 3 the bus cannot be reached."
)

app = typer.Typer(
    name="harmonic",
    help="See and steer a running Harmonic Universe, over its bus, as the user `operator`.\n\n"
    "Where the bus is, and its password, are told by HARMONIC_NATS_URL, HARMONIC_NATS_USER and"
    " HARMONIC_NATS_PASSWORD, as to the services.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _say_version(wanted: bool) -> None:  # noqa: FBT001 -- typer calls it with the value
    if wanted:
        typer.echo(f"harmonic {metadata.version('harmonic-operator')}")
        raise typer.Exit


@app.callback()
def harmonic(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """See and steer a running product."""


@app.command(epilog="Example: harmonic status --json")
def status(*, as_json: Json = False) -> None:
    """Show replicas, streams and brokers; exit 1 and name what is wrong, if anything is."""
    run(lambda bus: status_command.status(bus, as_json=as_json))


@app.command(epilog="Example: harmonic top --number 20")
def top(
    number: Annotated[
        int, typer.Option("--number", "-n", min=1, max=MAX_BUSIEST, help="Universes to show.")
    ] = 10,
    *,
    as_json: Json = False,
) -> None:
    """Show the universes with the most requests a second, the busiest first."""
    run(lambda bus: status_command.top(bus, number, as_json=as_json))


Universe = Annotated[str, typer.Argument(help="The universe's id.", show_default=False)]


@app.command(epilog="Example: harmonic who sandbox")
def who(universe: Universe, *, as_json: Json = False) -> None:
    """Show who is in a universe's room, over which connections and at which gateways."""
    run(lambda bus: rooms.who(bus, universe, as_json=as_json))


@app.command(epilog="Examples: harmonic tail sandbox; harmonic tail sandbox --events 10 --json")
def tail(
    universe: Universe,
    events: Annotated[
        int | None, typer.Option("--events", "-n", min=1, help="End after so many events.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Print a universe's events live, as they are stored: each with time, position and name.

    With --json, each is a document on a line of its own; the first says that it listens.
    """
    run(lambda bus: rooms.tail(bus, universe, events=events, as_json=as_json))


@app.command(epilog="Example: harmonic kick sandbox alice")
def kick(
    universe: Universe,
    user: Annotated[str, typer.Argument(help="The user's id.", show_default=False)],
    *,
    as_json: Json = False,
) -> None:
    """Have a user leave a room now, with all connections; the user may come again.

    Clients are told PERMISSION_DENIED with the reason KICKED. To keep somebody out, have the
    universe's owner remove the member, or revoke the user's tokens.
    """
    run(lambda bus: rooms.kick(bus, universe, user, as_json=as_json))


@app.command(epilog="Examples: harmonic revoke --user alice; harmonic revoke --jti 8f3a")
def revoke(
    user: Annotated[
        str | None, typer.Option(help="All tokens of this user that were issued until now.")
    ] = None,
    jti: Annotated[str | None, typer.Option(help="The token with this id.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Have tokens refused from now on, on every gateway; their clients are disconnected."""
    if (user is None) == (jti is None):
        raise typer.BadParameter("give either --user or --jti")
    run(lambda bus: steering.revoke(bus, user=user, jti=jti, as_json=as_json))


class OnOff(StrEnum):
    """What a switch is set to."""

    ON = "on"
    OFF = "off"


@app.command(epilog="Examples: harmonic switch audio off; harmonic switch joins on")
def switch(
    which: Annotated[Switch, typer.Argument(help="What to switch.")],
    to: Annotated[OnOff, typer.Argument(help="Whether it is to be served.")],
    *,
    as_json: Json = False,
) -> None:
    """Switch audio, music or joins off or on: everywhere within 2 s, and kept over restarts.

    Clients are told PERMISSION_DENIED with the reason SWITCHED_OFF. With joins off, clients that
    come back to their rooms are still let in.
    """
    run(lambda bus: steering.switch(bus, which, on=to is OnOff.ON, as_json=as_json))


@app.command(epilog="Examples: harmonic drain gateway-2 --over 30; harmonic drain gateway-2 --undo")
def drain(
    gateway: Annotated[str, typer.Argument(help="The gateway's instance name, as in `status`.")],
    over: Annotated[
        float,
        typer.Option(min=0, max=MAX_BOUND_S, help="Seconds over which its clients are closed."),
    ] = 10.0,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Have it take clients again.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Do it even if no other gateway is ready.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Have a gateway give its clients to others and take no new ones; its process goes on.

    Clients resume their sessions where they come back, as after any broken connection.
    """
    run(
        lambda bus: gateways.drain(
            bus, gateway, over_s=over, undo=undo, force=force, as_json=as_json
        )
    )


@app.command(epilog="Example: harmonic rebalance --per-second 20")
def rebalance(
    per_second: Annotated[
        float,
        typer.Option(min=0.1, max=1000, help="Clients that each gateway closes a second."),
    ] = 20.0,
    *,
    as_json: Json = False,
) -> None:
    """Have the fullest gateways give clients away, until all have about the same number.

    For after a scale-up: new gateways stay empty by themselves. No client is moved twice.
    """
    run(lambda bus: gateways.rebalance(bus, per_s=per_second, as_json=as_json))
