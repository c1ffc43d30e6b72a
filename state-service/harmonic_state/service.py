"""The state service, composed in one place: started top down, stopped in reverse."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from harmonic_protocol.internal import ExpireMusic
from harmonic_protocol.log import MusicRequested
from harmonic_runtime.bus.client import BusUnavailable, open_bus
from harmonic_runtime.bus.directory import Directory, announce, watch
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.ops import ops_server
from harmonic_runtime.process.failures import CannotStart
from harmonic_runtime.process.lifecycle import Process, Tasks
from harmonic_runtime.process.ticker import every
from harmonic_state.effects import Effects
from harmonic_state.heads import INTERVAL_S, HeadAnnouncements
from harmonic_state.journal import Journal
from harmonic_state.listing import Listing
from harmonic_state.quotas import Quotas
from harmonic_state.requests import Requests
from harmonic_state.room import Means
from harmonic_state.rooms import Rooms
from harmonic_state.settings import StateSettings
from harmonic_state.storage import LAYOUT_VERSION, stream_configs
from harmonic_state.timers import Timers

#: How often rooms are searched for participants of gateways that are gone, ...
SWEEP_INTERVAL_S = 2.0
#: ... and how soon after one is gone.
SWEEP_POLL_S = 0.25
#: A gateway's silence is counted finely: its participants are to be gone 15 s after its death.
GATEWAY_TICKS = 8
#: How long until streams that could not be set up are tried again.
STREAMS_PAUSE_S = 5.0


@asynccontextmanager
async def state_service(process: Process[StateSettings]) -> AsyncIterator[None]:
    """Everything that a replica of the state service consists of."""
    settings, log, metrics, clock = (
        process.settings,
        process.log,
        process.metrics,
        process.clock,
    )
    async with (
        ops_server(settings, process.readiness, metrics),
        open_bus(
            settings,
            name=f"state {settings.replica_id}",
            log=log,
            metrics=metrics,
            on_closed=lambda: process.fail("bus closed"),
        ) as bus,
        watch(bus, "gateway", ttl_s=settings.gateway_lease_s, ticks=GATEWAY_TICKS) as gateways,
        Tasks(process) as tasks,
    ):
        streams = Streams(bus)
        await _set_up(streams, settings)
        lost = asyncio.Event()
        bus.on_reconnect(lost.set)
        tasks.start(_keep_up(streams, settings, lost, log), name="streams")
        journal = Journal(streams, settings)
        listing = Listing(streams)
        quotas = Quotas(
            streams=streams,
            journal=journal,
            universes_per_user=settings.universes_per_user,
            clock=clock,
            tasks=tasks,
            metrics=metrics,
        )
        with Timers() as timers:

            def expire(requested: MusicRequested) -> None:
                job = requested.job
                request = ExpireMusic(universe_id=job.universe_id, request_id=job.request_id)
                rooms.ask_oneself(job.universe_id, request)

            effects = Effects(
                streams=streams,
                journal=journal,
                listing=listing,
                quotas=quotas,
                clock=clock,
                tasks=tasks,
                timers=timers,
                expire=expire,
                metrics=metrics,
                log=log,
            )
            conflicts = metrics.counter("append_conflicts", "appends that found news")
            heads = HeadAnnouncements(bus)
            bus.on_reconnect(heads.announce_again)
            means = Means(
                journal=journal,
                effects=effects,
                heads=heads,
                settings=settings,
                clock=clock,
                tasks=tasks,
                log=log,
                next_record_id=record_ids(settings.replica_id),
                on_conflict=conflicts.inc,
            )
            rooms = Rooms(means, metrics)
            requests = Requests(
                bus=bus,
                replica_id=settings.replica_id,
                rooms=rooms,
                journal=journal,
                listing=listing,
                quotas=quotas,
                tasks=tasks,
                metrics=metrics,
                log=log,
            )
            sweep = tasks.start(_sweep(rooms, gateways, settings), name="sweep")
            adoption = tasks.start(rooms.keep_adopting(), name="adoption")
            subscription = await bus.subscribe(
                f"hu.state.{settings.replica_id}.*", requests.receive
            )
            async with announce(bus, service="state", replica_id=settings.replica_id):
                with every(INTERVAL_S, heads.announce):
                    yield
            # Gateways ask others from here on; what they have asked already is still done.
            sweep.cancel()
            adoption.cancel()
            with suppress(BusUnavailable):
                await subscription.drain()
            await requests.finish()
            await rooms.finish()
            heads.announce()
            await rooms.hand_over()


async def _set_up(streams: Streams, settings: StateSettings) -> None:
    for config in stream_configs(settings):
        await streams.ensure(config, version=LAYOUT_VERSION)


async def _keep_up(
    streams: Streams, settings: StateSettings, lost: asyncio.Event, log: BoundLogger
) -> None:
    """Set the streams up anew, for ever: a lone broker that restarts has lost those in memory."""
    while True:
        await lost.wait()
        lost.clear()
        try:
            await _set_up(streams, settings)
        except CannotStart as failure:
            log.warning("streams_not_set_up", reason=str(failure))
            await asyncio.sleep(STREAMS_PAUSE_S)
            lost.set()


def record_ids(replica_id: str) -> Callable[[], str]:
    """Makes ids that no other record has: a replica's own id is fresh at every start."""
    numbers = itertools.count(1)
    return lambda: f"{replica_id}.{next(numbers)}"


async def _sweep(rooms: Rooms, gateways: Directory, settings: StateSettings) -> None:
    # A gateway that was there before this replica is known only once it had time to say so.
    await asyncio.sleep(settings.gateway_lease_s)
    while True:
        alive = gateways.live()
        rooms.release_lost_gateways(alive)
        with suppress(TimeoutError):
            async with asyncio.timeout(SWEEP_INTERVAL_S):
                # The same object as long as nothing changes.
                while gateways.live() is alive:  # noqa: ASYNC110 -- nothing tells of a silence
                    await asyncio.sleep(SWEEP_POLL_S)
