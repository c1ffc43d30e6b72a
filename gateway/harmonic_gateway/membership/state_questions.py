"""What gateways ask and tell one another of the states of participants, over the bus."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, TypeAlias

from pydantic import ValidationError

from harmonic_gateway import metrics as table
from harmonic_gateway.delivery.signals import ATTACHMENT_BYTES
from harmonic_protocol import subjects
from harmonic_protocol.handed import HandedState, PresenceAsked, PresenceTold
from harmonic_protocol.internal import SIGNAL_EVENT
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.lifecycle import Tasks

#: The event that an announcement is: for gateways, and passed over by those that do not know it.
ANNOUNCED = "presence_announced"
#: Universes in one question.
UNIVERSES_PER_QUESTION = 200
#: States in one announcement.
STATES_PER_ANNOUNCEMENT = 50
#: Questions under way at the same time: an answer may take 2 MiB.
ASKED_AT_ONCE = 16
#: How often a gateway that is alive is asked, and how long apart.
ATTEMPTS, PAUSE_S = 5, 0.4
#: Announcements in a row, and the pause after them.
ANNOUNCED_AT_ONCE, ANNOUNCING_PAUSE_S = 50, 0.02

#: Asks a gateway, by its id; raises ``BusUnavailable`` without an answer.
AskGateway: TypeAlias = Callable[[str, bytes], Coroutine[Any, Any, bytes]]
#: Takes what a gateway has told.
TakeStates: TypeAlias = Callable[[PresenceTold], None]


class StateQuestions:
    """Asks other gateways for the states that they know, and announces those known here."""

    def __init__(
        self,
        *,
        bus: Bus,
        gateways: Directory,
        gateway_id: str,
        ask: AskGateway,
        tasks: Tasks,
        metrics: Metrics,
    ) -> None:
        self._bus = bus
        self._gateways = gateways
        self._gateway_id = gateway_id
        self._ask_gateway = ask
        self._tasks = tasks
        self._turns = asyncio.Semaphore(ASKED_AT_ONCE)
        self._outcomes = metrics.counters(table.PRESENCE_QUESTIONS)

    def ask(
        self, gateways: Collection[str] | None, since: Mapping[str, str], take: TakeStates
    ) -> None:
        """Ask gateways for the states since a time, by universe; ``None``: all that are alive."""
        others = {*(self._gateways.live() if gateways is None else gateways)} - {self._gateway_id}
        names = list(since)
        for gateway_id in sorted(others):
            for start in range(0, len(names), UNIVERSES_PER_QUESTION):
                part = {name: since[name] for name in names[start : start + UNIVERSES_PER_QUESTION]}
                asking = self._ask(gateway_id, part, take)
                self._tasks.start(asking, name="ask for presence")

    def announce(self, states: Mapping[str, Sequence[HandedState]]) -> None:
        """Tell all gateways with members in these universes the states, which may be known."""
        self._tasks.start(self._announce(states), name="announce presence")

    async def _ask(self, gateway_id: str, since: dict[str, str], take: TakeStates) -> None:
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(PAUSE_S)
            try:
                while since:
                    question = PresenceAsked(since=since).to_json()
                    async with self._turns:
                        answer = await self._ask_gateway(gateway_id, question)
                    told = PresenceTold.model_validate_json(answer)
                    take(told)
                    since = {name: since[name] for name in told.rest if name in since}
            except BusUnavailable:
                if gateway_id not in self._gateways.live():
                    break
            except ValidationError:
                # A gateway of another version has nothing to tell.
                break
            else:
                self._outcomes.of("answered").inc()
                return
        self._outcomes.of("failed").inc()

    async def _announce(self, states: Mapping[str, Sequence[HandedState]]) -> None:
        number = 0
        for universe_id, known in states.items():
            for start in range(0, len(known), STATES_PER_ANNOUNCEMENT):
                part = tuple(known[start : start + STATES_PER_ANNOUNCEMENT])
                payload = PresenceTold(states={universe_id: part}).to_json()
                headers = {SIGNAL_EVENT: ANNOUNCED, ATTACHMENT_BYTES: f"{len(payload)}"}
                try:
                    self._bus.post(subjects.signal(universe_id), payload, headers=headers)
                except BusUnavailable:
                    # It will be back, and all is announced then.
                    return
                number += 1
                if number % ANNOUNCED_AT_ONCE == 0:
                    await asyncio.sleep(ANNOUNCING_PAUSE_S)
