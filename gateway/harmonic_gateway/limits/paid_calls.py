"""What a user may call the HTTP API: by number, and by what calls cost the gateway."""

import asyncio
from collections.abc import Iterable

from harmonic_gateway.limits.allowances import Allowance, Allowances, limited
from harmonic_gateway.limits.costs import CALL_COST_S
from harmonic_gateway.limits.pace import UserBudgets
from harmonic_protocol.messages.declaration import RateClass
from harmonic_protocol.refusals import Refused

#: Calls of one user that wait at once, so that the user's other clients have room.
MAX_WAITING = 64
#: How long a call waits at most. One that would wait for longer is refused.
MAX_WAIT_S = 5.0


class PaidCalls:
    """Grants calls of users.

    A call is charged to the budget that its user's connections share, before it is looked at any
    further. With an overdrawn budget, it waits until it is paid for.
    """

    def __init__(self, allowances: Allowances, budgets: UserBudgets) -> None:
        self._allowances = allowances
        self._budgets = budgets
        self._waiting: dict[str, int] = {}

    async def take(self, user_id: str, rates: Iterable[RateClass]) -> Refused | None:
        """Grant a call, which counts for ``rates``, or return the refusal."""
        over = await self._pay(user_id)
        if over is not None:
            return over
        for rate in rates:
            over = await self._allowances.take(user_id, rate)
            if over is not None:
                return over
        return None

    async def _pay(self, user_id: str) -> Refused | None:
        budget, now_s = self._budgets.of(user_id), asyncio.get_running_loop().time()
        budget.spend(CALL_COST_S, now_s)
        wait_s = budget.wait_s(now_s)
        if not wait_s:
            return None
        waiting = self._waiting.get(user_id, 0)
        if waiting == MAX_WAITING or wait_s > MAX_WAIT_S:
            return limited(Allowance(MAX_WAITING, int(MAX_WAIT_S * 1000)), int(wait_s * 1000) + 1)
        self._waiting[user_id] = waiting + 1
        try:
            await asyncio.sleep(wait_s)
        finally:
            self._waiting[user_id] -= 1
            if not self._waiting[user_id]:
                del self._waiting[user_id]
        return None
