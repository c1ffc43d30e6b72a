"""What work leads to: the driver of the commit cycle's commands, on streams in memory."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harmonic_runtime.observability.logs import get_log
from harmonic_state.domain.universe import Universe
from harmonic_state.loaded import Loaded
from harmonic_state.losses import NOTHING_SEEN, Seen
from harmonic_state.means import Means
from harmonic_state.outcomes import outcome_of
from harmonic_state.steps import Event, Failed, Load, Read, StepFailure
from state_service.builders import UNIVERSE
from state_service.storing import LOG, Storing


async def outcome_of_load(
    storing: Storing,
    last: Loaded | None,
    *,
    seen: Callable[[Universe | None], Seen],
    turn: int = 0,
    settled: list[Universe | None] | None = None,
) -> Event:
    """What comes of loading a universe at a replica with this ``turn``, of which gateways say so.

    ``settled`` takes what the listing is told.
    """

    async def settle(_universe_id: str, universe: Universe | None) -> None:
        if settled is not None:
            settled.append(universe)

    async def furthest(universe_id: str, universe: Universe | None) -> Seen:
        assert universe_id == UNIVERSE
        return seen(universe)

    means = SimpleNamespace(
        journal=storing.journal,
        effects=SimpleNamespace(settle_listing=settle),
        witnesses=SimpleNamespace(furthest=furthest),
        is_of_other_replica=lambda _record_id: False,
        log=get_log(),
        turn=lambda _universe_id: turn,
    )
    return await outcome_of(UNIVERSE, cast("Means", cast("Any", means)), Load(last))


async def test_a_universe_is_loaded_from_what_is_known_of_it() -> None:
    """Its log has lost the rest, which is in no store any more."""
    storing, settled = Storing(), list[Universe | None]()
    await storing.store()
    await storing.store()
    known = storing.loaded
    storing.streams.stored = [each for each in storing.streams.stored if each.sequence == 1]
    assert storing.streams.stored[0].subject == LOG

    def seen(universe: Universe | None) -> Seen:
        return Seen(7, universe.seq if universe is not None else 0)

    event = await outcome_of_load(storing, known, seen=seen, settled=settled)

    assert isinstance(event, Read)
    assert (event.loaded.universe, event.loaded.position) == (known.universe, 1)
    assert event.loaded.is_damaged
    assert settled == [known.universe]
    # Nobody had to be asked.
    assert event.seen == NOTHING_SEEN
    event = await outcome_of_load(storing, None, seen=seen)
    assert isinstance(event, Read)
    assert event.seen == Seen(7, event.loaded.seq)


@pytest.mark.parametrize(
    ("turn", "lost", "seen", "is_read"),
    [
        (0, True, 0, True),
        (1, True, 0, False),
        (0, False, 99, True),
        (1, False, 99, False),
        (1, False, 0, True),
    ],
)
async def test_a_loss_is_left_to_the_owner_which_may_have_in_memory_what_the_stores_have_not(
    turn: int, seen: int, *, lost: bool, is_read: bool
) -> None:
    storing = Storing()
    await storing.store()
    await storing.store()
    await storing.cover()
    if lost:
        storing.streams.lose_end(LOG)
    event = await outcome_of_load(storing, None, seen=lambda _: Seen(2, seen), turn=turn)
    if is_read:
        assert isinstance(event, Read)
        assert event.loaded.is_damaged is lost
    else:
        assert event == Failed(StepFailure.UNAVAILABLE)
