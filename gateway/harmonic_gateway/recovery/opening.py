"""What finds the earlier sessions of clients that come back, put together."""

from collections.abc import Mapping

from harmonic_gateway.identity.pids import Pids
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.recovery.finding import Finder
from harmonic_gateway.recovery.liveness import LivenessChecks
from harmonic_gateway.recovery.pending import PendingReturns
from harmonic_gateway.recovery.recovery import Recovery
from harmonic_gateway.recovery.returning import RoomReturns
from harmonic_gateway.settings import GatewaySettings
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import Clock
from harmonic_runtime.process.lifecycle import Tasks


def open_recovery(
    bus: Bus,
    settings: GatewaySettings,
    *,
    sessions: Mapping[str, Session],
    saved: Sessions,
    pids: Pids,
    gateways: Directory,
    gateway_id: str,
    returns: RoomReturns,
    memberships: Memberships,
    tasks: Tasks,
    clock: Clock,
    metrics: Metrics,
) -> tuple[PendingReturns, LivenessChecks, Recovery]:
    """The parts that others need, too, and the recovery itself."""
    finder = Finder(
        sessions=saved,
        pids=pids,
        gateways=gateways,
        gateway_id=gateway_id,
        window_s=settings.recovery_window_s,
        clock=clock,
    )
    checks = LivenessChecks(bus, sessions, settings.ping_timeout_s)
    pending = PendingReturns(
        finder=finder, checks=checks, returns=returns, gateways=gateways, tasks=tasks
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
    return pending, checks, recovery
