"""The life of a process: composed, ready, drained, stopped in reverse, within bounds of time."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from importlib import metadata
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import uvloop

from harmonic_runtime.observability import table
from harmonic_runtime.observability.logs import BoundLogger, configure_logs, get_log
from harmonic_runtime.observability.metrics import Metrics, loop_lag
from harmonic_runtime.observability.ops import Readiness
from harmonic_runtime.process.allocation import keep_freed_memory
from harmonic_runtime.process.clock import Clock, SystemClock
from harmonic_runtime.process.failures import CannotStart
from harmonic_runtime.process.settings import ServiceSettings
from harmonic_runtime.process.ticker import every
from harmonic_runtime.process.variables import unknown_variables

#: The exit status of a process that failed while it ran, ...
FAILED_STATUS = 1
#: ... and of one that lacks something to start.
CANNOT_START_STATUS = 3
#: How often the log says what a start waits for.
WAITING_INTERVAL_S = 10.0
#: After a stop was cut short, how long the parts may take to notice.
CANCEL_TIMEOUT_S = 1.0
#: Young objects until a collection: see :func:`settle_memory`. Python's own is 700.
GC_YOUNG_OBJECTS = 10_000
#: Collections of the young generation until one of the middle, and of that until one of all
#: objects. Python's own are 10.
GC_YOUNG_COLLECTIONS, GC_MIDDLE_COLLECTIONS = 17, 1

S = TypeVar("S", bound=ServiceSettings)


class Process(Generic[S]):
    """What every part of a service may need of its process."""

    def __init__(self, settings: S, service: str) -> None:
        self.settings = settings
        self.service = service
        self.log: BoundLogger = get_log()
        self.metrics = Metrics()
        self.clock: Clock = SystemClock()
        self.readiness = Readiness()
        self.failure: str | None = None
        self.cannot_start = False
        self._stop_asked = asyncio.Event()
        self.metrics.gauge_from(
            table.WAITING_TO_START, lambda: self.readiness.waiting_for is not None
        )
        self.metrics.gauge_from(table.READY, lambda: self.readiness.state == "ready")

    def tell_build(self, contract: object) -> None:
        """Show operators the build, and the version of the ``contract`` that it serves."""
        self.metrics.info(
            table.BUILD_INFO,
            service=self.service,
            version=metadata.version(f"harmonic-{self.service}"),
            commit=self.settings.commit,
            contract=str(contract),
        )

    @property
    def stopping(self) -> bool:
        """Whether the process was asked to stop, or has failed."""
        return self._stop_asked.is_set()

    def stop(self) -> None:
        """Ask the process to stop in order."""
        self._stop_asked.set()

    def fail(self, reason: str) -> None:
        """Stop in order after a failure; the exit status is 1."""
        if self.failure is None:
            self.failure = reason
            self.log.error("process_failed", reason=reason)
        self.stop()

    @contextmanager
    def waiting_for(self, what: str) -> Iterator[None]:
        """Say what the start waits for while the block runs: to operators, and in the log."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()

        def say() -> None:
            self.log.info("waiting", waiting_for=what, since_s=round(loop.time() - began_s))

        before, self.readiness.waiting_for = self.readiness.waiting_for, what
        try:
            with every(WAITING_INTERVAL_S, say):
                yield
        finally:
            self.readiness.waiting_for = before

    async def until_stop(self) -> None:
        """Return when the process is to stop."""
        await self._stop_asked.wait()


class Tasks:
    """The owner of background tasks: cancelled and awaited when the block ends.

    A task that raises has a bug: the process fails, instead of running without the task.
    """

    def __init__(self, process: Process[Any]) -> None:
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, object], *, name: str) -> asyncio.Task[None]:
        """Do ``work`` in the background; ``name`` is for the log."""
        task = self._loop.create_task(self._guard(work, name), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _guard(self, work: Coroutine[Any, Any, object], name: str) -> None:
        try:
            await work
        except Exception:
            self._process.log.exception("task_failed", task=name)
            self._process.fail(f"task {name} failed")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._running:
            task.cancel()
        # A task that is stopped may start others.
        while self._running:
            await asyncio.wait(self._running)


def run_service(
    settings: S,
    compose: Callable[[Process[S]], AbstractAsyncContextManager[None]],
    *,
    service: str,
) -> int:
    """Run a service until SIGTERM or SIGINT; the exit status.

    It is 0 after a stop in order, 1 after a failure, and 3 if the service cannot start.

    ``compose`` is entered, the process is ready until it is to stop, and then ``compose`` is
    left. A second signal ends the process at once, and so does a stop that takes longer than
    ``stop_timeout_s``.
    """
    lines = configure_logs(service, settings)
    keep_freed_memory()
    _warn_of_unknown_variables()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(settings, compose, service))
    finally:
        lines.flush()


async def _run(
    settings: S, compose: Callable[[Process[S]], AbstractAsyncContextManager[None]], service: str
) -> int:
    process = Process(settings, service)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: _log_stray(process, context))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, process, number)
    life = loop.create_task(_live(process, compose), name="life")
    asked = loop.create_task(process.until_stop(), name="until stop")
    await asyncio.wait((life, asked), return_when=asyncio.FIRST_COMPLETED)
    if process.readiness.state == "starting":
        life.cancel()
    await asyncio.wait((life,), timeout=settings.drain_notice_s + settings.stop_timeout_s)
    if not life.done():
        process.fail(f"the stop took longer than {settings.stop_timeout_s} s")
        life.cancel()
        await asyncio.wait((life,), timeout=CANCEL_TIMEOUT_S)
        if not life.done():
            os._exit(1)
    asked.cancel()
    await asyncio.wait((asked,))
    _judge(process, life)
    process.log.info("stopped", failure=process.failure)
    if process.failure is None:
        return 0
    return CANNOT_START_STATUS if process.cannot_start else FAILED_STATUS


async def _live(
    process: Process[S], compose: Callable[[Process[S]], AbstractAsyncContextManager[None]]
) -> None:
    with loop_lag(process.metrics):
        async with compose(process):
            if not process.stopping:
                settle_memory()
                process.readiness.ready()
                process.log.info("ready")
            await process.until_stop()
            process.readiness.drain()
            process.log.info("stopping")
            # Only now do load balancers learn of it: work that comes meanwhile is still done.
            await asyncio.sleep(process.settings.drain_notice_s)


def _on_signal(process: Process[S], number: signal.Signals) -> None:
    if process.stopping:
        os._exit(1)
    process.log.info("signal", signal=number.name)
    process.stop()


def _judge(process: Process[S], life: "asyncio.Task[None]") -> None:
    if life.cancelled():
        return
    error = life.exception()
    cause = _why_it_cannot_start(error)
    if cause is not None:
        # One line, wherever it was raised: what else failed then followed from it.
        process.log.error("cannot_start", reason=str(cause))
        process.failure, process.cannot_start = str(cause), True
    elif error is not None:
        process.log.error("crashed", exc_info=error)
        process.failure = "crashed"


def _why_it_cannot_start(error: BaseException | None) -> CannotStart | None:
    """The reason why a process cannot start, in whatever group it was raised."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_why_it_cannot_start, error.exceptions)), None)
    return error if isinstance(error, CannotStart) else None


def _warn_of_unknown_variables() -> None:
    for name, nearest in unknown_variables(os.environ):
        get_log().warning("unknown_variable", variable=name, nearest=nearest)


def _log_stray(process: Process[S], context: dict[str, Any]) -> None:
    process.log.error(
        "event_loop_error", message=context.get("message"), exc_info=context.get("exception")
    )


def settle_memory() -> None:
    """Spare the event loop the long pauses of garbage collection.

    A collection of the oldest generation looks at every object, which takes 10 ms per 100,000
    and delays everybody. What was made while starting stays for good, so it is set aside. Since
    reference counting frees nearly all garbage, collections may be rarer than Python's own; but a
    connection that is gone is a cycle, and memory that thousands of these hold too long is spread
    over the heap, and does not go back. What survives its first collection nearly always belongs
    to a client that stays: to look at it again soon, as for a middle generation, finds nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG_OBJECTS, GC_YOUNG_COLLECTIONS, GC_MIDDLE_COLLECTIONS)
