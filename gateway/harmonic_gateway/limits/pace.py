"""The pace at which a client is read, by the CPU time of its messages and by its refusals. Pure.

Reading, validating and refusing a message costs CPU time, which is measured. What a command costs
besides is declared (:mod:`~.costs`). A connection may use a share of a core on average, and a user
a larger share over all its connections here. A client that used more is read again once its share
has paid for it. A client with many refused messages is read more slowly, and closed if it
continues. Time is an argument.
"""

from collections import OrderedDict
from dataclasses import dataclass
from weakref import WeakValueDictionary

#: CPU seconds that a connection, or a user, may use at once, for each percent of a core that it
#: may use on average.
BURST_S_PER_PERCENT = 0.05
#: CPU seconds of a refusal besides its message: an answer, an ack, a count, maybe a line of log.
REFUSAL_COST_S = 250e-6
#: A client that is read too fast pauses for so much longer than it has to. The messages that arrive
#: meanwhile are then read in a row, which costs less than waking up for each of them.
PAUSE_S = 0.1
#: The longest pause between two messages: the answer to a ping may be behind it.
MAX_WAIT_S = 2.0
#: Refusals of a connection with a log line each: at once, and per second on average.
LOGGED_REFUSALS, LOGGED_REFUSALS_PER_S = 20, 1.0
#: Users whose budgets are kept without a connection: the latest.
MAX_USERS = 10_000


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """Percent of a core for a connection and for a user; refusals per second, and at once."""

    connection_percent: float
    user_percent: float
    refusals_per_s: float
    refusals_burst: int


class Budget:
    """A budget that earns ``per_second``, saves up to ``burst``, and may be overdrawn.

    An amount is known only after it was spent, so spending is never refused. :meth:`wait_s` returns
    for how long nothing more should be spent.
    """

    __slots__ = ("__weakref__", "_burst_s", "_even_at_s", "_per_second", "sessions")

    def __init__(self, per_second: float, burst: float) -> None:
        #: The sessions that spend from it.
        self.sessions = 0
        self._per_second = per_second
        self._burst_s = burst / per_second
        #: When everything spent is earned back.
        self._even_at_s = 0.0

    def spend(self, amount: float, now_s: float) -> bool:
        """Spend an amount, even if too little is left; return whether the budget is overdrawn."""
        self._even_at_s = max(self._even_at_s, now_s) + amount / self._per_second
        return self._even_at_s - now_s > self._burst_s

    def wait_s(self, now_s: float) -> float:
        """Seconds until the budget is no longer overdrawn; 0 if it is not."""
        return max(self._even_at_s - now_s - self._burst_s, 0.0)

    def busy_s(self, now_s: float) -> float:
        """Seconds until everything spent is earned back."""
        return max(self._even_at_s - now_s, 0.0)

    def go_on(self, now_s: float, busy_s: float) -> None:
        """Continue with the ``busy_s`` of this budget at another gateway."""
        self._even_at_s = now_s + busy_s

    def has_half(self, now_s: float) -> bool:
        """Whether at least half of the burst is saved."""
        return self._even_at_s - now_s <= self._burst_s / 2


def cpu_budget(percent: float) -> Budget:
    """A budget of CPU seconds that earns ``percent`` of a core."""
    return Budget(percent / 100, percent * BURST_S_PER_PERCENT)


class UserBudgets:
    """The CPU budgets of users: of all that are here, and of the latest besides."""

    def __init__(self, limits: PaceLimits) -> None:
        self._limits = limits
        self._all: WeakValueDictionary[str, Budget] = WeakValueDictionary()
        self._latest: OrderedDict[str, Budget] = OrderedDict()

    def of(self, user_id: str) -> Budget:
        """The budget that all connections, streams and calls of a user share."""
        budget = self._all.get(user_id)
        if budget is None:
            budget = self._all[user_id] = cpu_budget(self._limits.user_percent)
        self._latest[user_id] = budget
        self._latest.move_to_end(user_id)
        if len(self._latest) > MAX_USERS:
            self._latest.popitem(last=False)
        return budget


class Pace:
    """The pace at which one client's session is read.

    If ``is_behind``, the next message may have to wait: call :meth:`wait_s` once before it.
    """

    __slots__ = ("_budgets", "_limits", "_logged", "_refusals", "_slowed", "is_behind")

    def __init__(self, limits: PaceLimits) -> None:
        self._limits = limits
        self._budgets: tuple[Budget, ...] = (cpu_budget(limits.connection_percent),)
        # Most clients have no refusals.
        self._refusals: Budget | None = None
        self._logged: Budget | None = None
        self._slowed = 0
        self.is_behind = False

    @property
    def is_spent(self) -> bool:
        """Whether the client was slowed down too often for its refusals, and is to be closed."""
        return self._slowed > self._limits.refusals_burst

    def charge_to(self, budget: Budget) -> None:
        """From now on, charge a user's budget as well."""
        if budget not in self._budgets:
            budget.sessions += 1
            self._budgets = (*self._budgets, budget)

    def end(self) -> None:
        """Note that the session has ended."""
        for budget in self._budgets[1:]:
            budget.sessions -= 1
        self._budgets = self._budgets[:1]

    def took(self, cost_s: float, now_s: float) -> None:
        """Charge the CPU seconds of a message."""
        for budget in self._budgets:
            if budget.spend(cost_s, now_s):
                self.is_behind = True

    def caused(self, cost_s: float, each_s: float, now_s: float) -> None:
        """Charge CPU seconds that a message causes: once, and for each session of its user."""
        sessions = sum(budget.sessions for budget in self._budgets[1:])
        self.took(cost_s + each_s * sessions, now_s)

    def refused(self, now_s: float) -> bool:
        """Count a refusal; return whether it is to have its own line in the log."""
        if self._refusals is None or self._logged is None:
            limits = self._limits
            self._refusals = Budget(limits.refusals_per_s, limits.refusals_burst)
            self._logged = Budget(LOGGED_REFUSALS_PER_S, LOGGED_REFUSALS - 1)
        is_over = self._refusals.spend(1, now_s)
        self.took(REFUSAL_COST_S, now_s)
        if is_over:
            self.is_behind = True
        elif self._refusals.has_half(now_s):
            self._slowed = 0
        is_logged = not self._logged.wait_s(now_s)
        if is_logged:
            self._logged.spend(1, now_s)
        return is_logged

    def busy_s(self, now_s: float) -> float:
        """Seconds until the connection's budget has earned back what the client used."""
        return self._budgets[0].busy_s(now_s)

    def go_on(self, now_s: float, busy_s: float) -> None:
        """Continue with the ``busy_s`` of this client at another gateway."""
        self._budgets[0].go_on(now_s, busy_s)
        self.is_behind = self._budgets[0].wait_s(now_s) > 0

    def wait_s(self, now_s: float) -> float:
        """Seconds until the next message may be read."""
        waits = [budget.wait_s(now_s) for budget in self._budgets]
        if any(waits):
            waits.append(max(waits) + PAUSE_S)
        if self._refusals is not None:
            waits.append(self._refusals.wait_s(now_s))
            self._slowed += waits[-1] > 0
        wait_s = min(max(waits), MAX_WAIT_S)
        self.is_behind = wait_s > 0
        return wait_s
