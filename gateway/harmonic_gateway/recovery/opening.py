"""What goes on with the sessions of clients that come back, put together."""

from collections.abc import Mapping

from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.identity.pids import Pids
from harmonic_gateway.membership.departures import Departures
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.owners import Owners
from harmonic_gateway.recovery.finding import Finder
from harmonic_gateway.recovery.liveness import LivenessChecks
from harmonic_gateway.recovery.missed import MissedReader
from harmonic_gateway.recovery.pending import PendingReturns
from harmonic_gateway.recovery.recovery import Recovery
from harmonic_gateway.recovery.returning import RoomReturns
from harmonic_gateway.settings import GatewaySettings
from harmonic_protocol import subjects
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import Clock
from harmonic_runtime.process.lifecycle import Tasks


async def open_recovery(
    bus: Bus,
    settings: GatewaySettings,
    gateways: Directory,
    gateway_id: str,
    *,
    sessions: Mapping[str, Session],
    saved: Sessions,
    pids: Pids,
    owners: Owners,
    memberships: Memberships,
    rooms: Rooms,
    departures: Departures,
    reader: MissedReader,
    answers: Answers,
    tasks: Tasks,
    clock: Clock,
    metrics: Metrics,
    log: SampledLog,
) -> tuple[PendingReturns, Recovery]:
    """What goes on with clients that come back, and what others need of it.

    Other gateways are answered about the connections here from now on.
    """
    returns = RoomReturns(
        owners=owners,
        memberships=memberships,
        rooms=rooms,
        departures=departures,
        sessions=saved,
        reader=reader,
        answers=answers,
        tasks=tasks,
    )
    finder = Finder(
        sessions=saved,
        pids=pids,
        gateways=gateways,
        gateway_id=gateway_id,
        window_s=settings.recovery_window_s,
        clock=clock,
    )
    checks = LivenessChecks(bus, sessions, settings.ping_timeout_s, log)
    await bus.subscribe(subjects.ping(gateway_id), checks.hear)
    pending = PendingReturns(
        finder=finder, checks=checks, returns=returns, gateways=gateways, tasks=tasks, log=log
    )
    recovery = Recovery(
        finder=finder,
        returns=returns,
        pending=pending,
        checks=checks,
        memberships=memberships,
        clock=clock,
        metrics=metrics,
    )
    return pending, recovery
