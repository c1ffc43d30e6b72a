"""The music service, composed in one place: started top down, stopped in reverse."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from harmonic_music.bar_jobs import BarComposers
from harmonic_music.jobs import CONSUMER_CONFIG, Composers, watch_queue
from harmonic_music.settings import MusicSettings
from harmonic_operated.operated import operated
from harmonic_protocol import subjects
from harmonic_protocol.messages.connection import PROTOCOL_VERSION
from harmonic_runtime.bus.client import BusUnavailable, open_bus
from harmonic_runtime.bus.credentials import rotated_credentials
from harmonic_runtime.bus.directory import watch
from harmonic_runtime.bus.inspection import Inspection
from harmonic_runtime.bus.routing import OwnerClient
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.bus.timebase import shared_clock
from harmonic_runtime.observability.ops import ops_server
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.lifecycle import Process, Tasks
from harmonic_runtime.process.rotation import keep_rotating


@asynccontextmanager
async def music_service(process: Process[MusicSettings]) -> AsyncIterator[None]:
    """Run all parts of one replica of the music service."""
    settings, log, metrics = process.settings, process.log, process.metrics
    process.tell_build(PROTOCOL_VERSION)
    # One thread: composing holds the interpreter's lock. A second one would compose nothing more,
    # and the event loop would wait ten times as long. A process for each would take 60 MB and save
    # a fifth of the time; more replicas do the same, and can be spread over machines.
    # Bars have another thread, which shares the lock: none waits for the end of a piece.
    with (
        ThreadPoolExecutor(1, thread_name_prefix="composer") as executor,
        ThreadPoolExecutor(1, thread_name_prefix="bars") as for_bars,
    ):
        async with (
            ops_server(settings, process.readiness, metrics),
            open_bus(
                settings,
                name=f"music {settings.instance}",
                log=log,
                metrics=metrics,
                on_closed=lambda: process.fail("bus closed"),
                waiting_for=process.waiting_for,
            ) as bus,
            shared_clock(
                bus, process.clock, subjects.REVOCATIONS_STREAM, metrics=metrics, log=log
            ) as clock,
            watch(bus, "state") as replicas,
            AsyncExitStack() as at_the_end,
        ):
            streams = Streams(bus, patience_s=settings.bus_start_timeout_s)
            rotated = rotated_credentials(settings, bus)
            with process.waiting_for(f"stream {subjects.JOBS_STREAM}"):
                await streams.wait_for(subjects.JOBS_STREAM)
            await streams.ensure_consumer(subjects.JOBS_STREAM, CONSUMER_CONFIG)
            composers = Composers(
                streams=streams,
                owners=OwnerClient(bus, replicas, "state"),
                executor=executor,
                clock=clock,
                metrics=metrics,
                log=log,
            )
            at_the_end.push_async_callback(composers.release)
            tasks = await at_the_end.enter_async_context(Tasks(process))
            await at_the_end.enter_async_context(operated(process, bus, tasks))
            sampled = SampledLog(log, clock)
            bars = BarComposers(
                bus=bus,
                streams=streams,
                executor=for_bars,
                clock=clock,
                tasks=tasks,
                metrics=metrics,
                log=sampled,
            )
            asked = await bus.subscribe(
                subjects.COMPOSE_BAR, bars.receive, queue=subjects.BAR_COMPOSERS
            )
            tasks.start(keep_rotating(rotated, metrics=metrics, log=log), name="rotation")
            tasks.start(composers.fetch(), name="fetching jobs")
            tasks.start(composers.report(), name="reporting progress")
            tasks.start(watch_queue(Inspection(bus), metrics, sampled), name="queue watch")
            for number in range(settings.composers):
                tasks.start(composers.work(), name=f"composer {number}")
            yield
            # Other replicas are asked from here on; requests that arrived are still composed.
            with suppress(BusUnavailable):
                await asked.drain()
