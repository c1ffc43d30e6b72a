"""A universe's history written as sentences: for tests of the domain."""

from dataclasses import dataclass, field

from harmonic_protocol.envelope import Caller, Reply
from harmonic_protocol.log import ActionNoted
from harmonic_protocol.messages.universes import CreateUniverse
from harmonic_protocol.refusals import Refused
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import SystemClock
from harmonic_state.domain.decide import Decision, decide
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.presence import DecisionInputs
from harmonic_state.domain.universe import Universe
from harmonic_state.domain.universe_requests import UniverseRequest
from harmonic_state.requests import REQUESTS
from harmonic_state.skipping import SkippedMessages

UNIVERSE = "u"


def skipped_messages(metrics: Metrics | None = None) -> SkippedMessages:
    """Tells of stored messages that count for nothing."""
    return SkippedMessages(metrics or Metrics(), SampledLog(get_log(), SystemClock()))


def caller(user: str, tab: int = 1, gateway: str = "g1") -> Caller:
    return Caller(user, user.title(), f"{user}-{tab}", gateway)


def received(reply: Reply) -> Reply:
    """A reply as its caller reads it."""
    return Reply.model_validate_json(reply.to_json())


def command(name: str, /, **fields: object) -> UniverseRequest:
    request = REQUESTS[name].model_validate({"universeId": UNIVERSE, **fields})
    assert isinstance(request, UniverseRequest)
    return request


@dataclass
class History:
    """A universe and all that happened in it."""

    universe: Universe | None = None
    events: list[LogEvent] = field(default_factory=list)
    milliseconds: int = 0

    def ask(self, request: UniverseRequest, by: Caller) -> Decision | Refused:
        self.milliseconds += 1
        at = f"2024-03-21T10:30:{self.milliseconds // 1000 % 60:02}.{self.milliseconds % 1000:03}Z"
        moment = DecisionInputs(at, self.milliseconds, f"id-{self.milliseconds}", self.milliseconds)
        decision = decide(self.universe, request, by, moment)
        if isinstance(decision, Decision):
            self.universe = fold(self.universe, decision.events)
            self.events.extend(decision.events)
        return decision

    def does(self, request: UniverseRequest, by: Caller) -> list[LogEvent]:
        """What comes of a request, besides what is noted of it for the audit log."""
        decision = self.ask(request, by)
        assert isinstance(decision, Decision), decision
        return [event for event in decision.events if not isinstance(event, ActionNoted)]

    @property
    def noted(self) -> list[ActionNoted]:
        """What was noted for the audit log, in its order."""
        return [event for event in self.events if isinstance(event, ActionNoted)]

    def is_refused(self, request: UniverseRequest, by: Caller) -> Refused:
        decision = self.ask(request, by)
        assert isinstance(decision, Refused), decision
        return decision

    @property
    def now(self) -> Universe:
        assert self.universe is not None
        return self.universe


def created(owner: str = "owner", **settings: object) -> History:
    history = History()
    request = CreateUniverse.model_validate({"id": UNIVERSE, "name": "A universe", **settings})
    history.does(request, Caller(owner, owner.title()))
    return history


def open_universe(**settings: object) -> History:
    """A universe that anyone may edit."""
    return created("owner", visibility="public", publicMode="edit", **settings)
