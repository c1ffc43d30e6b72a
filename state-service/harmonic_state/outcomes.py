"""Does work on a universe and reports its outcome, as an event of the commit cycle."""

from typing import TypeAlias, assert_never

from harmonic_protocol import subjects
from harmonic_protocol.envelope import CARRIED_OUT
from harmonic_protocol.log import HistoryLost
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import AppendUnknown, StreamFull
from harmonic_state.drafts import Draft
from harmonic_state.journal import Conflict, RecordTooLarge
from harmonic_state.lineage import UniverseLost
from harmonic_state.losses import NOTHING_SEEN
from harmonic_state.means import Means
from harmonic_state.steps import (
    Append,
    CarryOutEffects,
    Confirm,
    Confirmed,
    Conflicted,
    EffectsDone,
    Event,
    Failed,
    Load,
    MakeRoom,
    Read,
    ReadOn,
    RecordStored,
    RoomMade,
    StepFailure,
    Work,
)

#: Work other than appends.
WorkAside: TypeAlias = Load | ReadOn | Confirm | MakeRoom | CarryOutEffects


#: What the journal raises, the special before the general.
_FAILURES: dict[type[Exception], StepFailure] = {
    RecordTooLarge: StepFailure.TOO_LARGE,
    StreamFull: StepFailure.FULL,
    AppendUnknown: StepFailure.OUTCOME_UNKNOWN,
    BusUnavailable: StepFailure.UNAVAILABLE,
    UniverseLost: StepFailure.LOST,
}


async def outcome_of(
    universe_id: str,
    means: Means,
    work: Work,
    draft: Draft | None = None,
    begun: Exception | None = None,
) -> Event:
    """Do work. ``draft`` is an append's record, ``begun`` the error of one attempt to store it."""
    try:
        if isinstance(work, Append):
            return await _append(universe_id, means, work, draft, begun)
        return await _carried_out(universe_id, means, work)
    except Conflict:
        if isinstance(work, Append):
            means.meters.conflicted()
        return Conflicted()
    except tuple(_FAILURES) as error:
        kind = next(kind for kind in _FAILURES if isinstance(error, kind))
        if isinstance(work, Append):
            stream = subjects.log_stream_of(universe_id)
            means.meters.not_stored(_FAILURES[kind], stream, error)
        return Failed(_FAILURES[kind])
    except Exception:
        means.log.exception("universe_failed", universe=universe_id)
        if isinstance(work, CarryOutEffects):
            return EffectsDone()
        # An append may have been stored before it failed.
        sent = isinstance(work, Append)
        return Failed(StepFailure.OUTCOME_UNKNOWN if sent else StepFailure.BROKEN)


async def _carried_out(universe_id: str, means: Means, work: WorkAside) -> Event:
    journal, effects = means.journal, means.effects
    match work:
        case CarryOutEffects(known, events):
            return EffectsDone(await effects.carry_out(universe_id, known, events))
        case Confirm(position):
            await journal.confirm(universe_id, position)
            return Confirmed()
        case Load(last):
            loaded, records = await journal.load(universe_id, last)
            if means.is_of_other_replica(loaded.record_id):
                means.meters.owners_changed.inc()
            await effects.settle_listing(universe_id, loaded.universe)
            seen = NOTHING_SEEN
            if last is None:
                # Members may have been sent more records than the log still holds. A universe in
                # memory lacks at most one of these: a record of its own of unknown outcome.
                seen = await means.witnesses.furthest(universe_id, loaded.universe)
                has_lost = loaded.is_damaged or seen.seq > loaded.seq
                if has_lost and means.turn(universe_id):
                    # Its owner, who is away for a moment, may have in memory what no store has.
                    raise BusUnavailable("the log has lost records, and its owner is another one")
            return Read(loaded, records, seen)
        case ReadOn(last):
            loaded, records = await journal.advance(universe_id, last)
            return Read(loaded, records)
        case MakeRoom(loaded):
            return RoomMade(await effects.make_room(universe_id, loaded))
        case _:
            assert_never(work)


def draft_of(universe_id: str, means: Means, work: Append) -> Draft:
    """The record that an append stores; raise :class:`RecordTooLarge`."""
    headers = work.trace.of_record()
    if work.carried_out:
        headers[CARRIED_OUT] = work.carried_out
    return means.journal.draft(
        universe_id,
        work.at,
        work.events,
        work.position,
        after=work.after,
        headers=headers,
    )


async def _append(
    universe_id: str, means: Means, work: Append, draft: Draft | None, begun: Exception | None
) -> RecordStored:
    if means.effects.concern(work.events):
        await means.effects.prepare(universe_id, work.events)
    began_s = means.clock.monotonic()
    draft = draft or draft_of(universe_id, means, work)
    record, was_unknown = await means.journal.complete(draft, begun)
    report_stored(universe_id, means, work, began_s)
    return RecordStored(record, was_unknown)


def report_stored(universe_id: str, means: Means, work: Append, began_s: float) -> None:
    """Count an append that succeeded, and log a loss that its record reports."""
    means.meters.stored(work.events, means.clock.monotonic() - began_s)
    for event in work.events:
        if type(event) is HistoryLost:
            means.meters.losses.inc()
            means.log.error("history_lost", universe=universe_id, log_ended_at=work.position)
