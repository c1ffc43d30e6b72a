"""``harmonic audit``: who did what to whom, and when; and the entries for operators' commands."""

import getpass
from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Annotated

import typer
from pydantic import ValidationError

from harmonic_operator.broker_time import broker_time
from harmonic_operator.connection import NotDone, run
from harmonic_operator.output import Json, console, table, write_json
from harmonic_operator.settings import OperatorSettings
from harmonic_protocol import subjects
from harmonic_protocol.messages.auditing import AuditEntry
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.inspection import Inspection
from harmonic_runtime.bus.streams import StreamFull, Streams
from harmonic_runtime.process.clock import timestamp
from harmonic_runtime.process.entropy import new_id
from harmonic_runtime.process.settings import load_settings

STORE_TIMEOUT_S = 5.0
#: Entries that are read in one call, and shown at most.
READ_ENTRIES, MAX_SHOWN = 1000, 10_000
#: The name in an entry if the account that runs the command has none.
NAMELESS = "operator"


@cache
def operator_name() -> str:
    """The name of whoever runs the command, as the audit log shows it."""
    named = load_settings(OperatorSettings).operator_name
    try:
        return named or getpass.getuser()
    except (KeyError, OSError):
        return NAMELESS


async def is_kept(bus: Bus) -> bool:
    """Whether there is an audit log: a state service of the version before keeps none."""
    return await Inspection(bus).stream(subjects.AUDIT_STREAM) is not None


async def note(bus: Bus, action: str, *, target: str | None = None, **details: object) -> None:
    """Write an entry to the audit log; raise :class:`NotDone` if it cannot be written.

    Without an audit log, it does nothing.
    """
    try:
        if not await is_kept(bus):
            return
        entry = AuditEntry(
            id=new_id(),
            at=timestamp(await broker_time(bus)),
            action=action,
            user_id=operator_name(),
            operator=True,
            target=target,
            details=details or None,
        )
        subject = subjects.audit_of_instance(action, target)
        await Streams(bus).append(subject, entry.to_json(), timeout_s=STORE_TIMEOUT_S)
    except (BusUnavailable, StreamFull) as error:
        raise NotDone(f"It was done, but the audit log does not tell: {error}.") from error


async def audit(
    bus: Bus, *, universe: str | None, user: str | None, number: int, as_json: bool
) -> None:
    """Show the latest entries, of one universe or about one user if given."""
    shown = await entries(bus, _patterns(universe, user), number)
    if as_json:
        write_json({"entries": [entry.to_wire() for entry in shown]})
        return
    rows = [
        (
            entry.at,
            entry.universe_id,
            _actor(entry),
            entry.action,
            entry.target,
            ", ".join(f"{name}: {what}" for name, what in (entry.details or {}).items()),
        )
        for entry in shown
    ]
    console.print(table("", ("At", "Universe", "Who", "Did", "To", "What"), rows))


async def entries(bus: Bus, patterns: Sequence[str], number: int) -> list[AuditEntry]:
    """The latest entries under some subjects, in order."""
    streams = Streams(bus)
    found: dict[int, AuditEntry] = {}
    for pattern in patterns:
        latest: deque[tuple[int, AuditEntry]] = deque(maxlen=number)
        sequence, is_more = 1, True
        while is_more:
            part = await streams.read(
                subjects.AUDIT_STREAM, pattern, from_sequence=sequence, limit=READ_ENTRIES
            )
            for each in part:
                entry = _read(each.payload)
                if entry is not None:
                    latest.append((each.sequence, entry))
            is_more = len(part) == READ_ENTRIES
            sequence = part[-1].sequence + 1 if part else sequence
        found.update(latest)
    return [found[sequence] for sequence in sorted(found)][-number:]


def _patterns(universe: str | None, user: str | None) -> Sequence[str]:
    if user is not None:
        return subjects.audit_of_user(user, universe)
    return (subjects.AUDIT_SUBJECTS if universe is None else subjects.audit_of(universe),)


def _read(payload: bytes) -> AuditEntry | None:
    """An entry; ``None`` for a message that is no entry."""
    try:
        return AuditEntry.model_validate_json(payload)
    except ValidationError:
        return None


def _actor(entry: AuditEntry) -> str:
    if entry.operator:
        return f"{entry.user_id} (operator)"
    return str(entry.user_id or "")


def add_commands(app: typer.Typer) -> None:
    """Add the command to ``harmonic``."""

    @app.command(
        "audit", epilog="Examples: harmonic audit; harmonic audit --universe sandbox --user alice"
    )
    def audit_command(
        universe: Annotated[str | None, typer.Option(help="Of this universe alone.")] = None,
        user: Annotated[
            str | None, typer.Option(help="What this user did, and what was done to it.")
        ] = None,
        number: Annotated[
            int, typer.Option("--number", "-n", min=1, max=MAX_SHOWN, help="Entries to show.")
        ] = 50,
        *,
        as_json: Json = False,
    ) -> None:
        """Show who moderated, changed settings, or acted as a service or operator, and when."""

        async def show(bus: Bus) -> None:
            await audit(bus, universe=universe, user=user, number=number, as_json=as_json)

        run(show)
