"""Creates universes and transfers them: each is counted first, and uncounted if it is refused."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from harmonic_protocol.envelope import Caller, Reply, RequestTrace
from harmonic_protocol.messages.universes import (
    CreateUniverse,
    GetUniverse,
    UniverseView,
    UpdateUniverse,
)
from harmonic_protocol.refusals import Code, Refused
from harmonic_runtime.bus.calls import settle
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.clock import Clock
from harmonic_runtime.process.lifecycle import Tasks
from harmonic_state.domain.registry import owner_to_be
from harmonic_state.means import Means
from harmonic_state.ownership import OwnedUniverses
from harmonic_state.quotas import Quotas
from harmonic_state.refusals import UNAVAILABLE


@dataclass(frozen=True, slots=True)
class _Change:
    """A request that changes a universe's owner, with what its decision needs."""

    universe_id: str
    request: CreateUniverse | UpdateUniverse | GetUniverse
    caller: Caller
    deadline_s: float
    trace: RequestTrace
    seen_position: int = 0
    seen_seq: int = 0


class Creations:
    """Counts a universe for its future owner, then has it created or transferred."""

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
        owner = owner_to_be(request, caller)
        if isinstance(owner, Refused):
            reply(Reply(error=owner))
            return
        deadline_s = self._clock.monotonic() + within_s
        creation = _Change(request.id or "", request, caller, deadline_s, trace)
        self._start(self._counted(creation, owner, reply), name="create universe")

    def begin_transfer(
        self,
        request: UpdateUniverse,
        caller: Caller,
        *,
        within_s: float,
        reply: Callable[[Reply], None],
        trace: RequestTrace,
        seen_position: int,
        seen_seq: int,
    ) -> None:
        """Transfer a universe to the owner that a request names, and reply.

        It is counted for the new owner first, and uncounted for the former one afterwards: see
        :class:`~harmonic_state.effects.Effects`. If this process dies in between, it may stay
        counted for both.
        """
        deadline_s = self._clock.monotonic() + within_s
        universe_id = request.universe_id
        transfer = _Change(universe_id, request, caller, deadline_s, trace, seen_position, seen_seq)
        self._start(self._transfer(transfer, request.owner, reply), name="transfer universe")

    def _start(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        task = self._tasks.start(work, name=name)
        self._counting.add(task)
        task.add_done_callback(self._counting.discard)

    async def finish(self) -> None:
        """Wait until all requests are in their universes' queues; call it once no more begin."""
        await asyncio.gather(*self._counting)

    async def _transfer(
        self, change: "_Change", owner: str, reply: Callable[[Reply], None]
    ) -> None:
        seen: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        look = GetUniverse.model_validate({"universeId": change.universe_id})
        self._submit(replace(change, request=look), partial(settle, seen))
        known: UniverseView | None = (await seen).result
        # A caller without permission learns nothing of another user's universes.
        if known is not None and owner in (known.members or ()):
            await self._counted(change, owner, reply)
        else:
            self._submit(change, reply)

    async def _counted(self, change: "_Change", owner: str, reply: Callable[[Reply], None]) -> None:
        """Count a universe for its future owner, have the change decided, and reply."""
        try:
            counted = await self._quotas.reserve(owner, change.universe_id)
        except BusUnavailable:
            reply(Reply(error=UNAVAILABLE))
            return
        if isinstance(counted, Refused):
            reply(Reply(error=counted))
            return

        def answer(answer: Reply) -> None:
            refusal = answer.error
            # If the outcome is not known, the change may have been carried out.
            if counted and refusal is not None and refusal.code is not Code.INTERNAL_ERROR:
                release = self._release(owner, change.universe_id, answer, reply)
                self._tasks.start(release, name="release quota")
            else:
                reply(answer)

        self._submit(change, answer)

    def _submit(self, change: "_Change", reply: Callable[[Reply], None]) -> None:
        pending = self._means.pending(
            change.request,
            change.caller,
            within_s=change.deadline_s - self._clock.monotonic(),
            reply=reply,
            seen_position=change.seen_position,
            seen_seq=change.seen_seq,
            trace=change.trace,
        )
        self._universes.submit(change.universe_id, pending)

    async def _release(
        self, user_id: str, universe_id: str, answer: Reply, reply: Callable[[Reply], None]
    ) -> None:
        try:
            await self._quotas.release(user_id, universe_id)
        except BusUnavailable:
            self._log.warning("quota_not_released", universe=universe_id)
        reply(answer)
