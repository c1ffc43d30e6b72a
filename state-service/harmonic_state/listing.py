"""The index of universes: who finds which, one entry per universe and audience.

An entry's place in the listing is its stream sequence, so a cursor is a sequence, and a
universe whose settings change moves to the end.
"""

import asyncio
from collections.abc import Mapping

from harmonic_protocol import subjects
from harmonic_protocol.log import (
    MemberRemoved,
    MemberSet,
    SettingsChanged,
    UniverseCreated,
    UniverseDeleted,
)
from harmonic_protocol.messages.universes import UniversePage, UniverseSummary
from harmonic_runtime.bus.streams import Streams
from harmonic_state.domain.universe import Universe

INDEX_TIMEOUT_S = 2.0
#: The events after which a universe may stand differently in the listing.
CHANGES_LISTING = (UniverseCreated, SettingsChanged, MemberSet, MemberRemoved, UniverseDeleted)


def entries(universe: Universe | None) -> Mapping[str, UniverseSummary]:
    """The listing's entries of a universe, by subject: public, or for each who may see it."""
    if universe is None or universe.deleted:
        return {}
    audiences = (
        [subjects.PUBLIC_AUDIENCE]
        if universe.visibility == "public"
        else [subjects.audience_of(user) for user in (universe.owner, *universe.members)]
    )
    summary = universe.summary()
    return {subjects.index(audience, universe.id): summary for audience in audiences}


class Listing:
    """Keeping and reading the index."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def reflect(self, before: Universe | None, after: Universe | None) -> None:
        """Bring the index from what ``before`` had in it to what ``after`` has."""
        old, new = entries(before), entries(after)
        for subject, summary in new.items():
            if old.get(subject) != summary:
                await self._streams.append(subject, summary.to_json(), timeout_s=INDEX_TIMEOUT_S)
        for subject in old.keys() - new.keys():
            await self._streams.purge(subjects.INDEX_STREAM, subject)

    async def page(self, user_id: str, *, cursor: int, limit: int) -> UniversePage:
        """What the user may see after ``cursor``, at most ``limit`` entries."""
        found = await asyncio.gather(
            *(
                self._streams.read(
                    subjects.INDEX_STREAM,
                    subjects.index_of(audience),
                    from_sequence=cursor + 1,
                    limit=limit + 1,
                )
                for audience in (subjects.PUBLIC_AUDIENCE, subjects.audience_of(user_id))
            )
        )
        merged = sorted((entry for part in found for entry in part), key=lambda e: e.sequence)
        page = merged[:limit]
        return UniversePage(
            items=tuple(UniverseSummary.model_validate_json(entry.payload) for entry in page),
            next_cursor=str(page[-1].sequence) if len(merged) > limit else None,
        )
