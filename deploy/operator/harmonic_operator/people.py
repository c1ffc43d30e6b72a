"""The commands about people: kick, ban, revoke, export and erase."""

from typing import Annotated

import typer

from harmonic_operator import erasing, rooms, steering
from harmonic_operator.connection import run
from harmonic_operator.identifiers import TakesIds
from harmonic_operator.output import Json, Universe
from harmonic_protocol.intervening import Bequest

User = Annotated[str, typer.Argument(help="The user's id.", show_default=False)]


def add_commands(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command, examples in (
        (kick, "Example: harmonic kick sandbox alice"),
        (ban, "Example: harmonic ban sandbox alice"),
        (unban, "Example: harmonic unban sandbox alice"),
        (revoke, "Examples: harmonic revoke --user alice; harmonic revoke --jti 8f3a"),
        (export, "Example: harmonic export alice > alice.json"),
        (erase, "Examples: harmonic erase alice; harmonic erase alice --owned nobody"),
    ):
        app.command(cls=TakesIds, epilog=examples)(command)


def kick(universe: Universe, user: User, *, as_json: Json = False) -> None:
    """Remove a user from a room now, with all connections; the user may join again.

    Clients are told PERMISSION_DENIED with the reason KICKED. To keep somebody out, use `ban`, or
    revoke the user's tokens.
    """
    run(lambda bus: rooms.kick(bus, universe, user, as_json=as_json))


def ban(universe: Universe, user: User, *, as_json: Json = False) -> None:
    """Ban a user from a universe, as its owner may: the user loses seats and role everywhere.

    Needs `HARMONIC_STORES_MODERATION`. The owner sees the ban, and may lift it.
    """
    run(lambda bus: rooms.ban(bus, universe, user, as_json=as_json))


def unban(universe: Universe, user: User, *, as_json: Json = False) -> None:
    """Lift a ban, whoever has set it. The role that the user had before is not given back."""
    run(lambda bus: rooms.unban(bus, universe, user, as_json=as_json))


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


def export(user: User) -> None:
    """Write all that is stored of a user as one JSON document, universe by universe.

    Roles, bans, seats, changes, pieces and remembered commands; every event of the logs that names
    the user; listings, quota, sessions, limits and revocations. It changes nothing.
    """
    run(lambda bus: erasing.export(bus, user))


def erase(
    user: User,
    *,
    owned: Annotated[
        str,
        typer.Option(
            help="What happens to the user's universes: with `member`, they go to the first member"
            " who may edit, else to nobody; `nobody`; or `deleted`."
        ),
    ] = "member",
    forget_revocation: Annotated[
        bool,
        typer.Option(
            "--forget-revocation",
            help="Remove the revocation of the user's tokens too: once all have ended.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Erase a user from everything stored: logs, snapshots, listings, sessions, limits, quotas.

    A placeholder, another one in each universe, replaces the user; members are told so. Histories
    that named the user are discarded, so clients that return to these rooms are sent the full
    state. It ends the user's sessions first, and needs `HARMONIC_STORES_MODERATION`. It may be
    interrupted, and repeated at any time.
    """
    bequest = _bequest(owned)
    run(
        lambda bus: erasing.erase(
            bus, user, bequest=bequest, forget_revocation=forget_revocation, as_json=as_json
        )
    )


def _bequest(owned: str) -> Bequest:
    match owned:
        case "member" | "nobody" | "deleted":
            return owned
        case _:
            raise typer.BadParameter("--owned is `member`, `nobody` or `deleted`")
