"""Sessions that recently moved or ended, whose clients may still have requests under way."""

from collections import OrderedDict

#: Sessions of each kind that are kept: the latest.
MAX_RECENT = 4096


class RecentSessions:
    """Records the sessions that moved to another gateway, and those that ended without a poll.

    A client's concurrent requests may arrive through different gateways, in any order.
    """

    def __init__(self) -> None:
        self._moved: OrderedDict[str, None] = OrderedDict()
        self._left: OrderedDict[str, None] = OrderedDict()

    def moved(self, sid: str) -> None:
        """Record a session that moved to another gateway."""
        _remember(self._moved, sid)

    def left(self, sid: str) -> None:
        """Record a session whose client left while it had no poll here."""
        _remember(self._left, sid)

    def is_moved(self, sid: str) -> bool:
        """Whether a session moved to another gateway."""
        return sid in self._moved

    def is_overtaken(self, sid: str) -> bool:
        """Whether a poll arrived after its client left; true only once for each session."""
        return self._left.pop(sid, self) is None


def _remember(kept: OrderedDict[str, None], sid: str) -> None:
    kept[sid] = None
    if len(kept) > MAX_RECENT:
        kept.popitem(last=False)
