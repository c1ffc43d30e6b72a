"""Creating universes: counted before they are created, and not counted if they are not."""

import asyncio
from collections.abc import Callable

from harmonic_protocol.envelope import Caller, Reply, RequestTrace
from harmonic_protocol.messages.universes import CreateUniverse
from harmonic_protocol.refusals import Code, Refused
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.clock import Clock
from harmonic_runtime.process.lifecycle import Tasks
from harmonic_state.means import Means
from harmonic_state.ownership import OwnedUniverses
from harmonic_state.quotas import Quotas
from harmonic_state.refusals import UNAVAILABLE


class Creations:
    """Counts a universe for its user, then has it created."""

    def __init__(self, *, universes: OwnedUniverses, quotas: Quotas, means: Means) -> None:
        self._universes = universes
        self._quotas = quotas
        self._means = means
        self._tasks: Tasks = means.tasks
        self._clock: Clock = means.clock
        self._log: BoundLogger = means.log
        self._counting: set[asyncio.Task[None]] = set()

    def begin(
        self,
        request: CreateUniverse,
        caller: Caller,
        *,
        within_s: float,
        reply: Callable[[Reply], None],
        trace: RequestTrace,
    ) -> None:
        """Create a universe, and reply."""
        deadline_s = self._clock.monotonic() + within_s
        task = self._tasks.start(
            self._create(request, caller, deadline_s, reply, trace), name="create universe"
        )
        self._counting.add(task)
        task.add_done_callback(self._counting.discard)

    async def finish(self) -> None:
        """Have all that was begun in its universe's queue; for when nothing more comes."""
        await asyncio.gather(*self._counting)

    async def _create(
        self,
        request: CreateUniverse,
        caller: Caller,
        deadline_s: float,
        reply: Callable[[Reply], None],
        trace: RequestTrace,
    ) -> None:
        universe_id, user_id = request.id or "", caller.user_id
        try:
            counted = await self._quotas.reserve(user_id, universe_id)
        except BusUnavailable:
            reply(Reply(error=UNAVAILABLE))
            return
        if isinstance(counted, Refused):
            reply(Reply(error=counted))
            return

        def answer(answer: Reply) -> None:
            refusal = answer.error
            # Where the outcome is not known, it may have been created.
            if counted and refusal is not None and refusal.code is not Code.INTERNAL_ERROR:
                release = self._release(user_id, universe_id, answer, reply)
                self._tasks.start(release, name="release quota")
            else:
                reply(answer)

        within_s = deadline_s - self._clock.monotonic()
        pending = self._means.pending(request, caller, within_s=within_s, reply=answer, trace=trace)
        self._universes.submit(universe_id, pending)

    async def _release(
        self, user_id: str, universe_id: str, answer: Reply, reply: Callable[[Reply], None]
    ) -> None:
        try:
            await self._quotas.release(user_id, universe_id)
        except BusUnavailable:
            self._log.warning("quota_not_released", universe=universe_id)
        reply(answer)
