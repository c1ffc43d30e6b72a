"""The index of universes: which user finds which, one entry per universe and audience.

An entry's place in the listing is its stream sequence. So a cursor is a sequence, and a universe
whose settings change moves to the end.

A universe is noted as unsettled before its log changes, and until its entries are changed too.
If a replica dies in between, another one finishes the change.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from harmonic_protocol import subjects
from harmonic_protocol.log import (
    MemberRemoved,
    MemberSet,
    OwnerChanged,
    SettingsChanged,
    UniverseCreated,
    UniverseDeleted,
)
from harmonic_protocol.messages.universes import MAX_MEMBERS, UniversePage, UniverseSummary
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import Stored, Streams
from harmonic_state.domain.universe import Universe
from harmonic_state.lineage import UniverseLost
from harmonic_state.skipping import SkippedMessages

INDEX_TIMEOUT_S = 2.0
#: Universes that are settled in one call.
MAX_UNSETTLED = 100
#: More entries than any universe has.
MAX_ENTRIES = MAX_MEMBERS + 10
#: The events that may change a universe's entries in the listing.
CHANGES_LISTING = (
    UniverseCreated,
    SettingsChanged,
    OwnerChanged,
    MemberSet,
    MemberRemoved,
    UniverseDeleted,
)


def entries(universe: Universe | None) -> Mapping[str, UniverseSummary]:
    """The listing's entries of a universe, by subject: one public, or one for each user."""
    if universe is None or universe.deleted:
        return {}
    audiences = (
        [subjects.PUBLIC_AUDIENCE]
        if universe.visibility == "public"
        else [subjects.audience_of(user) for user in (universe.owner, *universe.members)]
    )
    summary = universe.summary()
    return {subjects.index(audience, universe.id): summary for audience in audiences}


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A universe whose entries may differ from its log, and the position of that note."""

    universe_id: str
    noted_at: int


class Listing:
    """Keeps and reads the index."""

    def __init__(self, streams: Streams, skipped: SkippedMessages) -> None:
        self._streams = streams
        self._skipped = skipped

    async def unsettle(self, universe_id: str) -> int:
        """Note that a universe's entries may soon differ from its log; the note's position."""
        subject = subjects.index(subjects.UNSETTLED, universe_id)
        return await self._streams.append(subject, b"{}", timeout_s=INDEX_TIMEOUT_S)

    async def unsettled(self) -> list[Unsettled]:
        """The oldest notes of unsettled universes."""
        noted = await self._streams.latest(
            subjects.INDEX_STREAM, subjects.index_of(subjects.UNSETTLED), limit=MAX_UNSETTLED
        )
        return [Unsettled(each.subject.rpartition(".")[2], each.sequence) for each in noted]

    async def settle(
        self, universe_id: str, universe: Universe | None, *, noted_at: int | None = None
    ) -> bool:
        """Make a universe's entries match it; return whether any did not.

        ``noted_at`` is the position of its note. If the universe was noted again since, the newer
        note stays. Raise :class:`BusUnavailable` if the replica of the stream that answered does
        not have the note yet, and :class:`UniverseLost` for a listed universe of which nothing
        else is left, not even the tombstone of a deletion.
        """
        found = await self._streams.latest(
            subjects.INDEX_STREAM, subjects.index("*", universe_id), limit=MAX_ENTRIES
        )
        note = subjects.index(subjects.UNSETTLED, universe_id)
        noted = [each.sequence for each in found if each.subject == note]
        if noted_at is not None and max(noted, default=0) < noted_at:
            raise BusUnavailable("a replica of the index is behind")
        old = {each.subject: each.payload for each in found if each.subject != note}
        if universe is None and old:
            raise UniverseLost
        new = {subject: summary.to_json() for subject, summary in entries(universe).items()}
        # Entries that nobody may see are removed first.
        for subject in old.keys() - new.keys():
            await self._streams.purge(subjects.INDEX_STREAM, subject)
        for subject, payload in new.items():
            if old.get(subject) != payload:
                await self._streams.append(subject, payload, timeout_s=INDEX_TIMEOUT_S)
        if noted:
            await self._streams.purge(
                subjects.INDEX_STREAM, note, up_to=max(noted) if noted_at is None else noted_at
            )
        return old != new

    async def page(self, user_id: str, *, cursor: int, limit: int) -> UniversePage:
        """The universes after ``cursor`` that the user may see, at most ``limit`` entries."""
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
            items=tuple(filter(None, map(self._summary, page))),
            next_cursor=str(page[-1].sequence) if len(merged) > limit else None,
        )

    def _summary(self, entry: Stored) -> UniverseSummary | None:
        """An entry's universe; ``None`` for a message that is no entry, which is skipped."""
        if entry.is_answer:
            self._skipped.foreign("listing", entry)
            return None
        try:
            return UniverseSummary.model_validate_json(entry.payload)
        except ValidationError:
            self._skipped.unreadable("listing", entry)
            return None
