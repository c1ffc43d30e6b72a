"""The command line of ``harmonic``: its commands, their arguments and their examples."""

import sys
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from harmonic_operator import auditing, backups, explaining, gateways, people, rooms, steering
from harmonic_operator import load as load_command
from harmonic_operator import probe as probe_command
from harmonic_operator import status as status_command
from harmonic_operator.clients import make_token
from harmonic_operator.connection import finish, load_quietly, run
from harmonic_operator.identifiers import TakesIds
from harmonic_operator.output import Json, Universe
from harmonic_protocol.messages.declaration import Switch
from harmonic_protocol.operating import MAX_BOUND_S, MAX_BUSIEST

EPILOG = (
    "Exit status: 0 done, and nothing is wrong; 1 not done, or something is wrong; 2 the command"
    " line or the settings cannot be used; 3 the bus cannot be reached; 130 ended by Ctrl-C."
)

#: Ten years.
MAX_CERTIFICATE_DAYS = 3650.0

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


@app.command(epilog="Examples: harmonic status; harmonic status --certificate-days 30 --json")
def status(
    certificate_days: Annotated[
        float,
        typer.Option(
            min=0, max=MAX_CERTIFICATE_DAYS, help="Name certificates that end within these days."
        ),
    ] = 14.0,
    *,
    as_json: Json = False,
) -> None:
    """Show replicas, streams and brokers; exit 1 and name what is wrong, if anything is."""
    status_command.run_status(certificate_days, as_json=as_json)


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


@app.command(cls=TakesIds, epilog="Example: harmonic who sandbox")
def who(universe: Universe, *, as_json: Json = False) -> None:
    """Show who is in a universe's room, over which connections and at which gateways."""
    run(lambda bus: rooms.who(bus, universe, as_json=as_json))


@app.command(
    cls=TakesIds,
    epilog="Examples: harmonic tail sandbox; harmonic tail sandbox --events 10 --json",
)
def tail(
    universe: Universe,
    events: Annotated[
        int | None, typer.Option("--events", "-n", min=1, help="End after this many events.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Print a universe's events live, as they are stored: each with time, position and name.

    With --json, each is a document on a line of its own; the first says that it listens.
    """
    run(lambda bus: rooms.tail(bus, universe, events=events, as_json=as_json))


people.add_commands(app)
auditing.add_commands(app)


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
    return to their rooms are still admitted.
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
    """Move a gateway's clients to other gateways, and take no new ones; its process keeps running.

    Clients resume their sessions at the others, as after any broken connection.
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
    """Move clients away from the fullest gateways, until all have about the same number.

    Use it after you added gateways: they stay empty otherwise. No client is moved twice.
    """
    run(lambda bus: gateways.rebalance(bus, per_s=per_second, as_json=as_json))


Folder = Annotated[Path, typer.Argument(help="The folder of the backup.", file_okay=False)]


@app.command(epilog="Example: harmonic backup /var/backups/harmonic/2026-11-28")
def backup(folder: Folder, *, as_json: Json = False) -> None:
    """Save all that the product has stored into an empty folder, while it goes on.

    Logs, snapshots, listings, quotas, notes, sessions, revocations and switches. The manifest, with
    sizes and hashes, is written last: a folder without one is no backup.
    """
    run(lambda bus: backups.backup(bus, folder, as_json=as_json))


@app.command(epilog="Example: harmonic restore /var/backups/harmonic/2026-11-28 --replicas 3")
def restore(
    folder: Folder,
    replicas: Annotated[
        int | None,
        typer.Option(min=1, max=5, help="Copies of each stream, if not as many as saved."),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Restore a backup into brokers that have none of its streams; then start the services.

    The whole backup is verified before anything is changed. Events after the backup are lost: each
    universe's `seq` continues 1,000,000 later, and clients get the full state.
    """
    backups.run_restore(folder, replicas, as_json=as_json)


@app.command(
    cls=TakesIds,
    epilog="Example: kubectl logs -l app=harmonic --prefix | harmonic explain qT3…",
)
def explain(
    error_id: Annotated[
        str, typer.Argument(help="The `errorId` that a client was told.", show_default=False)
    ],
    *,
    as_json: Json = False,
) -> None:
    """Print what caused an error, from services' logs on standard input.

    The cause and what it means, the universe, the replica of the state service that was asked, and
    all lines of the same trace. Needs no bus.
    """

    async def explained() -> None:
        explaining.explain(error_id, sys.stdin, as_json=as_json)

    finish(explained())


@app.command(epilog="Example: harmonic load --url https://live.example --clients 200 --rate 50")
def load(
    *,
    url: Annotated[
        list[str], typer.Option(help="A gateway or a balancer; several are used in turn.")
    ],
    clients: Annotated[int, typer.Option(min=1, max=5000, help="Clients, a user each.")] = 50,
    rooms: Annotated[int, typer.Option(min=1, max=1000, help="Rooms that they are in.")] = 5,
    rate: Annotated[
        float, typer.Option(min=0.1, max=5000, help="Updates a second, of all together.")
    ] = 10.0,
    duration: Annotated[float, typer.Option(min=1, max=86_400, help="Seconds of writing.")] = 30.0,
    secret: Annotated[
        str | None,
        typer.Option(
            envvar="HARMONIC_JWT_SECRET", help="The secret to sign tokens with.", show_envvar=True
        ),
    ] = None,
    tokens: Annotated[
        typer.FileText | None, typer.Option(help="Tokens instead, one a line, a user each.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Put a load of real clients on gateways, and measure: to size one's own cluster.

    Creates universes of its own and deletes them at the end. A user may make 60 updates a minute
    unless the product is set otherwise, so `--rate` is at most the number of clients. Needs no bus.
    """
    if (secret is None) == (tokens is None):
        raise typer.BadParameter("give either --tokens or a secret, by HARMONIC_JWT_SECRET")
    known = tokens.read().split() if tokens is not None else []
    used = known[:clients] if secret is None else load_command.make_tokens(secret, clients)
    if not used:
        raise typer.BadParameter("the file of --tokens holds none")
    plan = load_command.LoadPlan(
        [each.rstrip("/") for each in url], used, min(rooms, len(used)), rate, duration
    )
    finish(load_command.load(plan, as_json=as_json))


@app.command(
    epilog="Examples: harmonic probe --url https://live.example --tokens /run/secrets/probe;"
    " harmonic probe --url https://live.example --secret-file /run/secrets/jwt --rounds 1"
)
def probe(
    *,
    url: Annotated[
        list[str],
        typer.Option(help="A balancer; or gateways, of which each client takes another one."),
    ],
    every: Annotated[
        float, typer.Option(min=probe_command.LEAST_EVERY_S, max=3600, help="Seconds per round.")
    ] = 15.0,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="End after this many rounds; without it, never.")
    ] = None,
    universe: Annotated[
        str, typer.Option(help="The id of the universe that it makes for itself.")
    ] = "probe",
    secret: Annotated[
        str | None,
        typer.Option(
            envvar="HARMONIC_JWT_SECRET", help="The secret to sign tokens with.", show_envvar=True
        ),
    ] = None,
    secret_file: Annotated[
        Path | None, typer.Option(envvar="HARMONIC_JWT_SECRET_FILE", help="A file that holds it.")
    ] = None,
    tokens: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, help="A file of two users' tokens, one a line; read in each round."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Do repeatedly, with two clients, what people do, and serve metrics of the results.

    Both connect and join; one hears the other's update, is disconnected, reconnects, and is sent
    what it missed. Metrics are served at /metrics of HARMONIC_OPS_HOST and HARMONIC_OPS_PORT. With
    --rounds, it exits 1 if the last round failed. Needs no bus.
    """
    if [secret, secret_file, tokens].count(None) != 2:  # noqa: PLR2004 -- all but one
        raise typer.BadParameter("give one of --tokens, --secret-file and HARMONIC_JWT_SECRET")

    def both() -> list[str]:
        if tokens is not None:
            return tokens.read_text().split()
        signing = secret_file.read_text().strip() if secret_file is not None else secret or ""
        lifetime_s = probe_command.TOKEN_LIFETIME_S
        return [make_token(signing, user, lifetime_s) for user in probe_command.USERS]

    if len(both()) < len(probe_command.USERS):
        raise typer.BadParameter("the file of --tokens holds less than two")
    urls = [each.rstrip("/") for each in url]
    plan = probe_command.ProbePlan(urls, both, universe, every, rounds)
    finish(probe_command.probe(plan, load_quietly(), as_json=as_json))
