"""The states of participants, for callers of the API, who are not in the room."""

import asyncio
from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

from harmonic_gateway.delivery.presence import KeptStates, handed, stated
from harmonic_gateway.membership.state_questions import AskGateway
from harmonic_protocol.handed import PresenceAsked, PresenceTold
from harmonic_runtime.bus.client import BusUnavailable

#: How long the gateways have to answer. States of later answers are left out.
ANSWERED_WITHIN_S = 1.0


class ShownStates:
    """Asks the gateways of a room, including this one, for the states that they know."""

    def __init__(self, ask: AskGateway) -> None:
        self._ask_gateway = ask

    async def of(self, universe_id: str, gateways: Collection[str]) -> dict[str, dict[str, Any]]:
        """The last states by user, from the gateways that answer in time."""
        question = PresenceAsked(since={universe_id: ""}).to_json()
        asking = (self._ask(gateway_id, question) for gateway_id in gateways)
        latest = KeptStates()
        for told in await asyncio.gather(*asking):
            for each in told.states.get(universe_id, ()):
                latest.take(universe_id, each.user_id, stated(each))
        return {
            user_id: handed(user_id, each).state for user_id, each in latest.of(universe_id).items()
        }

    async def _ask(self, gateway_id: str, question: bytes) -> PresenceTold:
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                answer = await self._ask_gateway(gateway_id, question)
            return PresenceTold.model_validate_json(answer)
        except (BusUnavailable, TimeoutError, ValidationError):
            # The gateway is gone, or its version does not know states.
            return PresenceTold(states={})
