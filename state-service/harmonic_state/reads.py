"""Requests that are answered from what is stored, without a universe's queue."""

from harmonic_protocol.envelope import Caller, Reply
from harmonic_protocol.internal import CompareHeads, Heads, ReadLog
from harmonic_protocol.messages.universes import ListUniverses
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_state.journal import Journal
from harmonic_state.listing import Listing
from harmonic_state.ownership import OwnedUniverses
from harmonic_state.parts import log_part
from harmonic_state.refusals import TRIMMED, UNAVAILABLE


class Reads:
    """Listings, heads of logs, and parts of them; a read that is not possible is refused."""

    def __init__(
        self, *, universes: OwnedUniverses, journal: Journal, listing: Listing, replica_id: str
    ) -> None:
        self._universes = universes
        self._journal = journal
        self._listing = listing
        self._replica_id = replica_id

    async def list_universes(self, request: ListUniverses, caller: Caller) -> Reply:
        """A page of what the caller may see."""
        try:
            page = await self._listing.page(
                caller.user_id, cursor=request.cursor, limit=request.limit
            )
        except BusUnavailable:
            return Reply(error=UNAVAILABLE)
        return Reply(result=page.to_wire())

    async def compare_heads(self, request: CompareHeads) -> Reply:
        """The ends of those logs that go on after the positions that a gateway knows."""
        ahead, unknown = self._universes.compare(request.positions)
        # What is known here may be out of date, where another replica was taken for the owner.
        others = request.positions.keys() - ahead.keys()
        try:
            for universe_id, position in (await self._journal.newest(list(others))).items():
                if position > request.positions[universe_id]:
                    ahead[universe_id] = position
        except BusUnavailable:
            return Reply(error=UNAVAILABLE)
        if request.owner == self._replica_id:
            self._universes.adopt(unknown)
        return Reply(result=Heads(heads=ahead).to_wire())

    async def read_log(self, request: ReadLog) -> Reply:
        """The records after a position, or that the log does not reach back to it."""
        universe_id, after = request.universe_id, request.after_position
        try:
            stored = self._universes.recent(universe_id, after)
            if stored is None:
                stored = await self._journal.records(universe_id, after_position=after)
        except BusUnavailable:
            return Reply(error=UNAVAILABLE)
        if stored and stored[0].previous > after:
            return Reply(error=TRIMMED)
        return Reply(result=log_part(stored).to_wire())
