"""Requests that are decided together, each on the universe as the ones before it left it. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from harmonic_protocol.envelope import NO_TRACE, Reply
from harmonic_protocol.internal import JoinResult, LogPart, ResumeRoom
from harmonic_protocol.messages.following import FollowUniverse, UniverseFollowed
from harmonic_protocol.messages.rooms import JoinRoom
from harmonic_protocol.refusals import Refused
from harmonic_protocol.value import individual, value
from harmonic_runtime.process.clock import timestamp_ms
from harmonic_state.domain.answers import answer
from harmonic_state.domain.decide import Decision, decide
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.mending import history_lost
from harmonic_state.domain.permissions import visible
from harmonic_state.domain.presence import DecisionInputs, seat_of
from harmonic_state.domain.universe import Universe
from harmonic_state.domain.universe_requests import UniverseRequest, never_grows
from harmonic_state.lineage import is_named, is_record
from harmonic_state.loaded import Loaded
from harmonic_state.parts import log_part
from harmonic_state.pending import PendingRequest
from harmonic_state.refusals import AHEAD, BROKEN, FULL
from harmonic_state.ring import Ring
from harmonic_state.steps import Answer, Append, Instant

#: The reply to a request that its record answers; it is not sent.
_BY_RECORD = Reply()


@individual
class Decided:
    """A request and its decision."""

    pending: PendingRequest
    moment: DecisionInputs
    decision: Decision | Refused

    @property
    def has_events(self) -> bool:
        """Whether the decision has events to store."""
        return isinstance(self.decision, Decision) and bool(self.decision.events)

    @property
    def name_in_record(self) -> str:
        """The request's part of the record's header ``CARRIED_OUT``; empty without a name."""
        decision, name = self.decision, self.pending.name
        if not name or isinstance(decision, Refused) or not decision.events:
            return ""
        return f"{name}={decision.seq}"

    def answered(self, known: Loaded | None, ring: Ring) -> Answer:
        """The answer, once ``known`` is the universe at the end of the record."""
        if self.name_in_record:
            return Answer(self.pending, _BY_RECORD, by_record=True)
        return Answer(self.pending, reply_to(self, known, ring))

    def unnamed(self) -> Self:
        """The same request without its name: it gets a reply, as its record may not be sent."""
        return replace(self, pending=replace(self.pending, name=""))


@individual
class Batch:
    """Decided requests, their events in order, and the universe after these.

    ``errors`` are faults of this program. Each refuses its own request and no other. ``at`` is the
    time of their record.
    """

    decided: Sequence[Decided]
    events: Sequence[LogEvent]
    after: Universe | None
    errors: Sequence[Exception]

    at: str

    def append_after(self, known: Loaded) -> Append:
        """The command that stores the events right after the known position."""
        trace = NO_TRACE
        for each in self.decided:
            if not each.has_events:
                continue
            if trace is NO_TRACE:
                trace = each.pending.trace
            if each.pending.trace.is_sampled:
                trace = trace._replace(traceparent=each.pending.trace.traceparent)
                break
        names = [name for each in self.decided if (name := each.name_in_record)]
        return Append(self.at, self.events, known.position, known.record_id, trace, " ".join(names))


@value
class Conditions:
    """The conditions under which requests are decided: the time, and the space that is left.

    With ``almost_full``, only events that make a universe smaller are stored. With ``hashed``, a
    snapshot has space for more operations. ``ring`` holds the log's latest records.
    """

    now: Instant
    almost_full: bool = False
    hashed: bool = False
    ring: Ring | None = None


def decide_batch(
    requests: Sequence[PendingRequest], known: Loaded, conditions: Conditions
) -> Batch:
    """Decide ``requests``, at least one, in order, on the known universe."""
    now = conditions.now
    universe, at = known.universe, timestamp_ms(now.unix_ms)
    decided: list[Decided] = []
    events: list[LogEvent] = []
    errors: list[Exception] = []
    for pending in requests:
        moment = DecisionInputs(
            at if universe is None else max(at, universe.updated_at),
            now.unix_ms,
            pending.fresh_id,
            pending.fresh_seed,
            conditions.hashed,
        )
        decision: Decision | Refused
        try:
            if _is_ahead(pending.request, known, conditions.ring):
                decision = AHEAD
            else:
                decision = decide(universe, pending.request, pending.caller, moment)
        except Exception as error:  # noqa: BLE001 -- one request's fault is not the others'
            decision = BROKEN
            errors.append(error)
        if conditions.almost_full and _grows(pending.request, decision):
            decision = FULL
        decided.append(Decided(pending, moment, decision))
        if isinstance(decision, Decision):
            universe = fold(universe, decision.events)
            events.extend(decision.events)
    return Batch(decided, events, universe, errors, decided[-1].moment.timestamp)


def mending_batch(universe: Universe, now: Instant, seen_seq: int) -> Batch:
    """The record with which a universe continues whose log has lost other records.

    Members were sent frames up to ``seen_seq``, by what gateways say.
    """
    event = history_lost(universe, timestamp_ms(now.unix_ms), seen_seq)
    return Batch((), [event], fold(universe, [event]), (), event.timestamp)


_NOTHING = Loaded(None, 0)
_COMING = (JoinRoom, ResumeRoom, FollowUniverse)


def _grows(request: UniverseRequest, decision: Decision | Refused) -> bool:
    """Whether a decision may make its universe larger."""
    is_stored = isinstance(decision, Decision) and bool(decision.events)
    return is_stored and not never_grows(request)


def _is_ahead(request: UniverseRequest, known: Loaded, ring: Ring | None) -> bool:
    """Whether this log, as far as known, lacks the record that a returning client's position names.

    If the record is no longer in memory, the later reading of what follows it compares the two.
    """
    # Not ``isinstance``: for classes of messages that takes as long as several calls.
    if type(request) is not ResumeRoom or request.after_position is None:
        return False
    position, record_id = request.after_position, request.after_record or ""
    if position >= known.position:
        return position > known.position or (
            known.record_id != "" and not is_named(known.record_id, record_id, request.after_mark)
        )
    at = ring.at(position) if ring is not None else None
    if at is not None:
        return not is_record(at, record_id, request.after_mark)
    # If the ring reaches back to the position, this log has no record there.
    return ring is not None and ring.after(position - 1) is not None


def reply_to(decided: Decided, known: Loaded | None, ring: Ring) -> Reply:
    """The reply to a decided request; ``known`` is the universe at the end of its record."""
    known = known or _NOTHING
    decision, pending = decided.decision, decided.pending
    if isinstance(decision, Refused):
        return Reply(error=decision)
    if isinstance(pending.request, _COMING):
        ended = _ended_in_its_record(pending, known.universe)
        if ended is not None:
            return Reply(error=ended)
    result = None
    if known.universe is not None:
        result = answer(
            pending.request, pending.caller, decided.moment, decision.events, known.universe
        )
    if isinstance(result, JoinResult):
        told: dict[str, object] = {"record": known.record_id or None}
        if isinstance(pending.request, ResumeRoom) and result.continued:
            told["missed"] = _missed(pending.request, ring)
        result = result.model_copy(update=told)
    elif isinstance(result, UniverseFollowed):
        result = result.model_copy(update={"record": known.record_id or None})
    return Reply.done(decision.seq, known.position, result)


def _ended_in_its_record(pending: PendingRequest, universe: Universe | None) -> Refused | None:
    """Why a caller who joined has no seat after all: the same record has ended it again.

    Its gateway cannot tell, since a reply stands for the whole record at its position.
    """
    if universe is None:
        return None
    seen = visible(universe, pending.caller)
    if isinstance(seen, Refused):
        return seen
    if isinstance(pending.request, FollowUniverse):
        return None
    seat = seat_of(seen, pending.caller)
    return seat if isinstance(seat, Refused) else None


def _missed(request: ResumeRoom, ring: Ring) -> LogPart | None:
    if request.after_position is None:
        return None
    # The record at the position too: the client may not have some of its frames.
    missed = ring.after(request.after_position - 1)
    return log_part(missed) if missed else None
