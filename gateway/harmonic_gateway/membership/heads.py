"""Detecting missed records without later ones: owners announce heads, and rooms compare them.

Owners announce the logs that changed. After anything that may have lost announcements (a lost bus,
dropped messages, another owner) the gateway asks: many universes in one question, one question at a
time. Owners are also told what members saw of rooms that were lost, until they have settled that.
"""

import asyncio
from collections.abc import Collection, Iterable

from harmonic_gateway import metrics as table
from harmonic_gateway.delivery.places import Position
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.membership.summaries import marks
from harmonic_gateway.owners import Owners
from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import CompareHeads, Heads
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.bus.routing import rank
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.metrics import Metrics

#: Universes in one question.
UNIVERSES_PER_QUESTION = 500
#: Between two questions, so that a thousand gateways' do not come at once with nothing between.
QUESTION_PAUSE_S = 0.02
RETRY_PAUSE_S = 0.5
#: Lost rooms in one question: each has its universe loaded, which clients will do as well.
LOST_PER_QUESTION = 100
#: How often owners are told of lost rooms.
LOST_INTERVAL_S = 2.0
#: How often owners are looked at for changes.
OWNERS_INTERVAL_S = 0.25


class HeadWatch:
    """Compares the rooms of this gateway with their owners' heads."""

    def __init__(
        self,
        *,
        rooms: Rooms,
        owners: Owners,
        replicas: Directory,
        gateway_id: str,
        metrics: Metrics,
    ) -> None:
        self._rooms = rooms
        self._owners = owners
        self._replicas = replicas
        self._caller = Caller("", "", gateway_id=gateway_id)
        self._live = replicas.live()
        self._due: dict[str, None] = {}
        self._work = asyncio.Event()
        self._tells_losses = False
        self._questions = metrics.counter(table.HEAD_QUESTIONS)

    def hear(self, message: Message) -> None:
        """Take an owner's announcement."""
        said = Heads.model_validate_json(message.payload)
        for universe_id, position in said.heads.items():
            record_id = said.records.get(universe_id)
            self._rooms.expect(universe_id, Position.of_record(position, record_id))

    def compare_all(self) -> None:
        """Compare all rooms: any message may have been missed."""
        self._compare(self._rooms.positions())

    def look_at_owners(self) -> None:
        """Ask the successors of lost owners for the last records.

        Owners of logs that may have been turned back are asked, too.
        """
        self._compare(self._rooms.take_doubtful())
        before, now = self._live, self._replicas.live()
        if before is now:
            return
        self._live = now
        self._compare(
            universe_id
            for universe_id in self._rooms.positions()
            if rank(universe_id, before)[:1] != rank(universe_id, now)[:1]
        )

    def look_at_losses(self) -> None:
        """Tell owners of lost rooms, if there are any."""
        if self._rooms.losses:
            self._tells_losses = True
            self._work.set()

    async def keep_telling(self) -> None:
        """Tell owners of lost rooms time and again, for ever."""
        while True:
            await asyncio.sleep(LOST_INTERVAL_S)
            self.look_at_losses()

    async def keep_asking(self) -> None:
        """Ask all pending questions, for ever."""
        while True:
            await self._work.wait()
            known = self._rooms.positions()
            questions = self._questions_about([name for name in self._due if name in known])
            self._due.clear()
            self._work.clear()
            for owner, universe_ids in questions:
                again = await self._ask(owner, {name: known[name] for name in universe_ids})
                self._compare(again)
                await asyncio.sleep(RETRY_PAUSE_S if again else QUESTION_PAUSE_S)
            if self._tells_losses:
                self._tells_losses = False
                await self._tell_losses()

    def _compare(self, universe_ids: Iterable[str]) -> None:
        self._due.update(dict.fromkeys(universe_ids))
        if self._due:
            self._work.set()

    def _questions_about(self, universe_ids: list[str]) -> list[tuple[str, list[str]]]:
        by_owner: dict[str, list[str]] = {}
        for universe_id in universe_ids:
            owner = (*rank(universe_id, self._live)[:1], "")[0]
            by_owner.setdefault(owner, []).append(universe_id)
        return [
            (owner, names[start : start + UNIVERSES_PER_QUESTION])
            for owner, names in by_owner.items()
            for start in range(0, len(names), UNIVERSES_PER_QUESTION)
        ]

    async def _tell_losses(self) -> None:
        lost = self._rooms.losses.named_next(LOST_PER_QUESTION)
        for owner, universe_ids in self._questions_about(list(lost)):
            self._questions.inc()
            named = {universe_id: lost[universe_id] for universe_id in universe_ids}
            request = CompareHeads(positions={}, owner=owner, lost=named)
            reply = await self._owners.ask(
                universe_ids[0], request.operation(), request, self._caller
            )
            if reply.error is None:
                settled = Heads.model_validate(reply.result).settled
                self._rooms.losses.answered(named, settled)

    async def _ask(self, owner: str, positions: dict[str, int]) -> Collection[str]:
        """Ask an owner about universes; return those to ask about again."""
        self._questions.inc()
        request = CompareHeads(
            positions=positions,
            owner=owner,
            marks=marks(positions),
            seqs=self._rooms.losses.seqs(positions),
        )
        key = next(iter(positions))
        reply = await self._owners.ask(key, request.operation(), request, self._caller)
        if reply.error is not None:
            return positions
        heads = Heads.model_validate(reply.result)
        for universe_id in heads.turned_back:
            self._rooms.turned_back(universe_id)
        for universe_id, position in heads.heads.items():
            self._rooms.expect(universe_id, position)
        return heads.deferred
