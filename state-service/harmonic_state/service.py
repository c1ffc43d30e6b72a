"""The state service, composed in one place: started top down, stopped in reverse."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

from harmonic_operated.operated import operated
from harmonic_protocol import subjects
from harmonic_protocol.messages.connection import PROTOCOL_VERSION
from harmonic_runtime.bus.client import BusUnavailable, open_bus
from harmonic_runtime.bus.credentials import rotated_credentials
from harmonic_runtime.bus.directory import Directory, announce, watch
from harmonic_runtime.bus.inspection import Inspection
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.bus.timebase import shared_clock
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.ops import ops_server
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.observability.tracing import open_tracer
from harmonic_runtime.process.failures import CannotStart
from harmonic_runtime.process.lifecycle import Process, Tasks
from harmonic_runtime.process.rotation import keep_rotating
from harmonic_runtime.process.ticker import every
from harmonic_state.auditing import Auditing
from harmonic_state.bar_questions import BarQuestions
from harmonic_state.creation import Creations
from harmonic_state.effects import Effects
from harmonic_state.heads import INTERVAL_S, HeadAnnouncements
from harmonic_state.jobs import MusicJobs
from harmonic_state.journal import Journal
from harmonic_state.listing import Listing
from harmonic_state.means import Means
from harmonic_state.meters import RATE_WINDOW_S, Meters
from harmonic_state.ownership import OwnedUniverses
from harmonic_state.playing import EndlessPieces, turn_of
from harmonic_state.quotas import Quotas
from harmonic_state.reads import Reads
from harmonic_state.requests import Requests
from harmonic_state.restored import restored_ends
from harmonic_state.settings import StateSettings
from harmonic_state.skipping import SkippedMessages
from harmonic_state.storage import LAYOUT_VERSION, SET_UP_LAST, hint, stream_configs
from harmonic_state.stream_watch import StreamWatch
from harmonic_state.timers import Timers
from harmonic_state.witnesses import open_witnesses

#: Seconds between two searches of rooms for participants of lost gateways; one that is lost is
#: searched for at once.
SWEEP_INTERVAL_S = 2.0
#: Steps in which a gateway's silence is measured: its participants must leave 15 s after its death.
GATEWAY_TICKS = 8
#: Seconds that a stop waits for the audit log; other replicas write the rest.
AUDIT_FINISH_S = 1.0
#: Seconds until streams that could not be set up are tried again.
STREAMS_PAUSE_S = 5.0


@asynccontextmanager
async def state_service(process: Process[StateSettings]) -> AsyncIterator[None]:
    """Run all parts of one replica of the state service."""
    settings, log, metrics = process.settings, process.log, process.metrics
    process.tell_build(PROTOCOL_VERSION)
    async with (
        ops_server(settings, process.readiness, metrics),
        open_bus(
            settings,
            name=f"state {settings.instance}",
            log=log,
            metrics=metrics,
            on_closed=lambda: process.fail("bus closed"),
            waiting_for=process.waiting_for,
        ) as bus,
        watch(bus, "gateway", ttl_s=settings.gateway_lease_s, ticks=GATEWAY_TICKS) as gateways,
        watch(bus, "state") as replicas,
        Tasks(process) as tasks,
        operated(process, bus, tasks) as operators,
        AsyncExitStack() as measured,
    ):
        streams = Streams(bus)
        tracer = await measured.enter_async_context(open_tracer(settings, "state"))
        rotated = rotated_credentials(settings, bus)
        tasks.start(keep_rotating(rotated, metrics=metrics, log=log), name="rotation")
        with process.waiting_for("JetStream, to set up the streams"):
            await _set_up(Streams(bus, patience_s=settings.bus_start_timeout_s), settings, log)
        clock = await measured.enter_async_context(
            shared_clock(bus, process.clock, subjects.REVOCATIONS_STREAM, metrics=metrics, log=log)
        )
        lost = asyncio.Event()
        bus.on_reconnect(lost.set)
        tasks.start(_keep_up(streams, settings, lost, log), name="streams")
        sampled = SampledLog(log, clock)
        skipped = SkippedMessages(metrics, sampled)
        journal = Journal(
            streams,
            settings,
            record_ids(settings.replica_id),
            skipped,
            await restored_ends(streams, skipped),
        )
        listing = Listing(streams, skipped)
        quotas = Quotas(
            streams=streams,
            journal=journal,
            universes_per_user=settings.universes_per_user,
            clock=clock,
            tasks=tasks,
            metrics=metrics,
            skipped=skipped,
        )
        with Timers() as timers:
            jobs = MusicJobs(streams=streams, clock=clock, tasks=tasks, timers=timers, log=log)
            heads = HeadAnnouncements(bus)
            bus.on_reconnect(heads.announce_again)
            auditing = Auditing(
                streams=streams,
                journal=journal,
                kept_s=settings.audit_kept_s,
                clock=clock,
                skipped=skipped,
                metrics=metrics,
                log=log,
            )
            endless = EndlessPieces(
                bus=bus,
                questions=BarQuestions(bus),
                turn=partial(turn_of, replicas, settings.replica_id),
                most_pieces=settings.endless_pieces,
                clock=clock,
                tasks=tasks,
                metrics=metrics,
                log=sampled,
            )
            effects = Effects(
                journal=journal,
                listing=listing,
                quotas=quotas,
                jobs=jobs,
                endless=endless,
                auditing=auditing,
                metrics=metrics,
                log=log,
            )
            means = Means(
                journal=journal,
                effects=effects,
                endless=endless,
                heads=heads,
                witnesses=await open_witnesses(bus, gateways),
                settings=settings,
                clock=clock,
                tasks=tasks,
                meters=Meters(metrics, sampled),
                log=log,
                turn=partial(turn_of, replicas, settings.replica_id),
            )
            universes = OwnedUniverses(means, metrics, sampled)
            jobs.on_overdue(universes.expire)
            await endless.drive(universes.ask_oneself, universes.known)
            operators.describe_with(lambda asked: {"busiest": universes.busy(asked.busiest)})
            creations = Creations(universes=universes, quotas=quotas, means=means)
            requests = Requests(
                bus=bus,
                universes=universes,
                creations=creations,
                reads=Reads(
                    universes=universes,
                    journal=journal,
                    listing=listing,
                    auditing=auditing,
                    replica_id=settings.replica_id,
                ),
                means=means,
                tracer=tracer,
                metrics=metrics,
                log=sampled,
            )
            watch_of_streams = StreamWatch(Inspection(bus), metrics)
            tasks.start(watch_of_streams.keep_asking(), name="stream watch")
            tasks.start(auditing.keep_writing(), name="audit log")
            unasked = [
                tasks.start(work, name=name)
                for name, work in (
                    ("sweep", _sweep(universes, gateways, settings)),
                    ("adoption", universes.keep_adopting()),
                    ("settling", effects.keep_settling()),
                )
            ]
            subscription = await bus.subscribe(
                f"hu.state.{settings.replica_id}.*", requests.receive
            )
            async with announce(bus, service="state", replica_id=settings.replica_id):
                with (
                    every(INTERVAL_S, heads.announce),
                    every(RATE_WINDOW_S, universes.rates.turn),
                ):
                    yield
            endless.close()
            # Gateways ask other replicas from here on; requests that arrived are still answered.
            for task in unasked:
                task.cancel()
            with suppress(BusUnavailable):
                await subscription.drain()
            await creations.finish()
            await universes.finish()
            heads.announce()
            await universes.hand_over()
            await auditing.finish(AUDIT_FINISH_S)


async def _set_up(streams: Streams, settings: StateSettings, log: BoundLogger) -> None:
    """Set all streams up as the settings say, and log the layout in force."""
    configs = stream_configs(settings)

    async def ensure(config: Mapping[str, object]) -> None:
        found = await streams.ensure(config, version=LAYOUT_VERSION, hint=hint(config))
        if found.changed:
            log.warning("stream_changed", stream=config["name"], changes=dict(found.changed))
        if found.left:
            # A newer version keeps its layout, whatever is set here.
            log.warning("stream_left", stream=config["name"], differences=dict(found.left))

    last = [config for config in configs if config["name"] in SET_UP_LAST]
    for group in ([config for config in configs if config not in last], last):
        # All streams of a group at once: in a cluster, each has to elect its leader.
        for outcome in await asyncio.gather(*map(ensure, group), return_exceptions=True):
            if outcome is not None:
                raise outcome
    log.info(
        "streams_in_force",
        replicas=settings.stream_replicas,
        log_records=settings.log_records,
        reserved_bytes=sum(
            int(str(config["max_bytes"])) for config in configs if "max_bytes" in config
        ),
    )


async def _keep_up(
    streams: Streams, settings: StateSettings, lost: asyncio.Event, log: BoundLogger
) -> None:
    """Set the streams up again when some are lost: a lone broker that restarts loses its memory."""
    while True:
        await lost.wait()
        lost.clear()
        try:
            await _set_up(streams, settings, log)
        except CannotStart as failure:
            log.warning("streams_not_set_up", reason=str(failure))
            await asyncio.sleep(STREAMS_PAUSE_S)
            lost.set()


def record_ids(replica_id: str) -> Callable[[], str]:
    """A function that makes unique record ids: a replica's id is fresh at every start."""
    numbers = itertools.count(1)
    return lambda: f"{replica_id}.{next(numbers)}"


async def _sweep(universes: OwnedUniverses, gateways: Directory, settings: StateSettings) -> None:
    # A gateway that ran before this replica is known only after it had time to announce itself.
    await asyncio.sleep(settings.gateway_lease_s)
    while True:
        alive = gateways.live()
        universes.release_lost_gateways(alive)
        await gateways.change(alive, SWEEP_INTERVAL_S)
