"""The rooms of a gateway, put together."""

import asyncio

from harmonic_gateway import metrics as table
from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.delivery.history import History
from harmonic_gateway.delivery.meter import DeliveryMeter
from harmonic_gateway.delivery.signals import Signals
from harmonic_gateway.membership.bars import RoomBars
from harmonic_gateway.membership.heads import HeadWatch
from harmonic_gateway.membership.live import LiveLayer, relay_to
from harmonic_gateway.membership.membership import Membership
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.notices import Notices
from harmonic_gateway.membership.presence import RoomPresence
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.membership.state_questions import AskGateway, StateQuestions
from harmonic_gateway.membership.witness import Witness
from harmonic_gateway.owners import Owners
from harmonic_gateway.settings import GatewaySettings
from harmonic_protocol import subjects
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.bus.timebase import SharedClock
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.lifecycle import Tasks


def open_rooms(
    bus: Bus,
    settings: GatewaySettings,
    gateways: Directory,
    gateway_id: str,
    *,
    ask: AskGateway,
    memberships: Memberships,
    history: History,
    unseated: "asyncio.Queue[Membership]",
    answers: Answers,
    sessions: Sessions,
    meter: DeliveryMeter,
    tasks: Tasks,
    clock: SharedClock,
    metrics: Metrics,
    log: BoundLogger,
) -> Rooms:
    """Everything that rooms consist of, and what follows where the bus may have lost messages."""
    questions = StateQuestions(
        bus=bus, gateways=gateways, gateway_id=gateway_id, ask=ask, tasks=tasks, metrics=metrics
    )
    presence = RoomPresence(memberships, questions, settings.departure_grace_s, metrics)
    bus.on_reconnect(presence.catch_up)
    bus.on_gap(presence.ask_again)
    bars = RoomBars(
        memberships,
        history.bars,
        clock,
        tasks=tasks,
        metrics=metrics,
        log=SampledLog(log, clock),
    )
    bus.on_reconnect(bars.catch_up)
    bus.on_gap(bars.catch_up)
    relay = relay_to(memberships)
    signals = Signals(relay, bytes_per_s=settings.audio_bytes_per_s, metrics=metrics)
    notices = Notices(
        memberships=memberships,
        unseated=unseated,
        answers=answers,
        sessions=sessions,
        tasks=tasks,
    )
    meter.watch(memberships.__len__)
    return Rooms(
        memberships=memberships,
        bus=bus,
        history=history,
        on_notice=notices.act_upon,
        live=LiveLayer(signals, presence, bars, Witness(bus, gateway_id, memberships)),
        tasks=tasks,
        meter=meter,
        log=log,
    )


async def open_heads(
    bus: Bus,
    replicas: Directory,
    gateway_id: str,
    *,
    rooms: Rooms,
    owners: Owners,
    tasks: Tasks,
    metrics: Metrics,
) -> HeadWatch:
    """Have rooms compared with what owners announce, and with what they know after a loss."""
    heads = HeadWatch(
        rooms=rooms, owners=owners, replicas=replicas, gateway_id=gateway_id, metrics=metrics
    )
    await bus.subscribe(subjects.HEADS, heads.hear)
    bus.on_reconnect(heads.compare_all)
    bus.on_gap(heads.compare_all)
    bus.on_gap(owners.recorded.missed)
    tasks.start(heads.keep_asking(), name="heads")
    tasks.start(heads.keep_telling(), name="lost rooms")
    metrics.gauge_from(table.LOST_ROOMS, lambda: len(rooms.losses))
    return heads
