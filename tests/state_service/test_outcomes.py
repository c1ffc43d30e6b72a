"""What work leads to: the driver of the commit cycle's commands, on streams in memory."""

from types import SimpleNamespace
from typing import Any, cast

from harmonic_runtime.observability.logs import get_log
from harmonic_state.domain.universe import Universe
from harmonic_state.means import Means
from harmonic_state.outcomes import outcome_of
from harmonic_state.steps import Load, Read
from state_service.builders import UNIVERSE
from state_service.storing import LOG, Storing


async def test_a_universe_is_loaded_from_what_is_known_of_it() -> None:
    """Its log has lost the rest, which is in no store any more."""
    storing, settled = Storing(), list[Universe | None]()
    await storing.store()
    await storing.store()
    known = storing.loaded
    storing.streams.stored = [each for each in storing.streams.stored if each.sequence == 1]
    assert storing.streams.stored[0].subject == LOG

    async def settle(_universe_id: str, universe: Universe | None) -> None:
        settled.append(universe)

    async def furthest(universe_id: str, universe: Universe | None) -> int:
        return 7 if (universe_id, universe) == (UNIVERSE, known.universe) else 0

    means = SimpleNamespace(
        journal=storing.journal,
        effects=SimpleNamespace(settle_listing=settle),
        witnesses=SimpleNamespace(furthest=furthest),
        is_of_other_replica=lambda _record_id: False,
        log=get_log(),
    )
    event = await outcome_of(UNIVERSE, cast("Means", cast("Any", means)), Load(known))

    assert isinstance(event, Read)
    assert (event.loaded.universe, event.loaded.position) == (known.universe, 1)
    assert event.loaded.is_damaged
    assert settled == [known.universe]
    # Nobody had to be asked.
    assert event.seen_position == 0
    event = await outcome_of(UNIVERSE, cast("Means", cast("Any", means)), Load(None, True))
    assert isinstance(event, Read)
    assert event.seen_position == 0
