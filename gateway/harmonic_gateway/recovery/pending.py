"""Clients that are accepted while their earlier connections may be half open.

What is decided stands in ``half_open``; here are the questions to gateways, and taking over the
session of a connection that turned out to be broken.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from harmonic_gateway.membership.saved import Found
from harmonic_gateway.membership.session import Session
from harmonic_gateway.recovery.finding import Finder, Known
from harmonic_gateway.recovery.half_open import PendingReturn, ReturnStage
from harmonic_gateway.recovery.liveness import LivenessChecks
from harmonic_gateway.recovery.returning import OffsetRefused, Return, RoomReturns
from harmonic_protocol.internal import ConnectionChecked, Liveness
from harmonic_runtime.bus.client import BusUnavailable, NoResponders
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.lifecycle import Tasks

#: Earlier connections of one client that are asked for; of more, the newest.
MAX_ASKED = 16
#: How long a gateway may be away from the bus before its connections are taken to be broken, and
#: how long apart it is asked meanwhile.
AWAY_S, AWAY_PAUSE_S = 2.0, 0.2
#: Questions that a gateway which is alive may leave unanswered: then its connections are, too.
MAX_UNANSWERED = 4
#: How often, and how long apart, the rooms of a broken session are tried to be taken.
TAKE_ATTEMPTS, TAKE_PAUSE_S = 3, 0.5


@dataclass(slots=True, eq=False)
class _Pending:
    core: PendingReturn
    asked: Mapping[str, Found]
    #: What is known of broken connections, by their ids.
    checked: dict[str, ConnectionChecked] = field(default_factory=dict)
    #: Set while nothing is being taken over for the client.
    idle: asyncio.Event = field(default_factory=asyncio.Event)


class PendingReturns:
    """Finds out about the earlier connections of accepted clients, and gives them their rooms."""

    def __init__(
        self,
        *,
        finder: Finder,
        checks: LivenessChecks,
        returns: RoomReturns,
        gateways: Directory,
        tasks: Tasks,
        log: SampledLog,
    ) -> None:
        self._log = log
        self._finder = finder
        self._checks = checks
        self._returns = returns
        self._gateways = gateways
        self._tasks = tasks
        self._pending: dict[str, _Pending] = {}

    def begin(self, session: Session, asked: tuple[Found, ...]) -> None:
        """Ask for the connections of these sessions, for a client that was just accepted."""
        newest = {found.saved.connection_id: found for found in asked[-MAX_ASKED:]}
        pending = _Pending(PendingReturn(newest), newest)
        pending.idle.set()
        self._pending[session.connection.id] = pending
        self._tasks.start(self._resolve(session, pending, newest), name="pending return")

    async def cancel(self, session: Session) -> None:
        """The client joins or leaves a room itself: it is given nothing any more.

        Returns when nothing is being taken over for it, which ends soon.
        """
        pending = self._pending.get(session.connection.id)
        if pending is not None:
            pending.core.cancel()
            await pending.idle.wait()

    def give_up(self, session: Session) -> None:
        """The client is gone."""
        pending = self._pending.get(session.connection.id)
        if pending is not None:
            pending.core.cancel()

    def is_idle(self, session: Session) -> bool:
        """Whether nothing is being taken over for a client."""
        pending = self._pending.get(session.connection.id)
        return pending is None or pending.idle.is_set()

    def hand_over(self, session: Session) -> tuple[Found, ...]:
        """The sessions that are asked for, for another gateway to ask again."""
        pending = self._pending.get(session.connection.id)
        if pending is None or pending.core.stage is not ReturnStage.ASKING:
            return ()
        pending.core.cancel()
        return tuple(pending.asked.values())

    async def _resolve(
        self, session: Session, pending: _Pending, asked: Mapping[str, Found]
    ) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for found in asked.values():
                    group.create_task(self._ask(session, pending, asked, found))
        finally:
            pending.idle.set()
            del self._pending[session.connection.id]

    async def _ask(
        self, session: Session, pending: _Pending, asked: Mapping[str, Found], found: Found
    ) -> None:
        connection_id = found.saved.connection_id
        checked = await self._check(found)
        if checked.liveness is Liveness.UNKNOWN:
            with suppress(BusUnavailable):
                moved = await self._finder.moved(found)
                checked = await self._check(moved) if moved is not None else checked
        if checked.liveness in {Liveness.ALIVE, Liveness.GOODBYE}:
            pending.core.alive(connection_id)
            return
        pending.checked[connection_id] = checked
        chosen = pending.core.broken(connection_id)
        while chosen is not None:
            chosen = await self._take_over(session, pending, asked[chosen])

    async def _check(self, found: Found) -> ConnectionChecked:
        """What becomes known of an earlier connection."""
        gateway_id, connection_id = found.saved.gateway_id, found.saved.connection_id
        silent, away = 0, 0
        while silent < MAX_UNANSWERED and away * AWAY_PAUSE_S < AWAY_S:
            try:
                checked = await self._checks.ask(gateway_id, connection_id)
            except NoResponders:
                away += 1
                await asyncio.sleep(AWAY_PAUSE_S)
            except BusUnavailable:
                silent += 1
                if gateway_id not in self._gateways.live():
                    break
            else:
                return checked
        is_alive = silent == MAX_UNANSWERED
        return ConnectionChecked(liveness=Liveness.ALIVE if is_alive else Liveness.BROKEN)

    async def _take_over(self, session: Session, pending: _Pending, found: Found) -> str | None:
        """Give the client a broken session; the next one to be tried, if another was faster."""
        pending.idle.clear()
        try:
            checked = pending.checked[found.saved.connection_id]
            try:
                known = await self._finder.take_broken(found, checked)
            except BusUnavailable:
                # It is still broken when the client connects the next time.
                known = None
            if known is None:
                return pending.core.not_taken()
            await self._go_on(session, pending, known)
        finally:
            pending.idle.set()
        return None

    async def _go_on(self, session: Session, pending: _Pending, known: Known) -> None:
        returning = Return(None)
        for attempt in range(TAKE_ATTEMPTS):
            if attempt:
                await asyncio.sleep(TAKE_PAUSE_S)
            try:
                returning = await self._returns.prepare(session, known)
            except (BusUnavailable, OffsetRefused):
                continue
            # Asked in the same turn as the rooms are given.
            if not session.connection.is_closed() and pending.core.completes():
                self._returns.complete(session, returning)
                return
            break
        self._log.warning("pending_return_given_up", connection=session.connection.id)
        pending.core.cancel()
        await self._returns.undo(session, known, returning)
        await self._finder.give_back(known)
