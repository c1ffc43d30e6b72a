"""Sessions that are not here any more, and whose clients' requests may still be on their way."""

from collections import OrderedDict

#: Of each kind, the latest are known.
MAX_RECENT = 4096


class RecentSessions:
    """Which sessions moved to another gateway, and which were left before their poll arrived.

    Requests that a client sends at the same time come by different gateways, in any order.
    """

    def __init__(self) -> None:
        self._moved: OrderedDict[str, None] = OrderedDict()
        self._left: OrderedDict[str, None] = OrderedDict()

    def moved(self, sid: str) -> None:
        """A session goes on at another gateway."""
        _remember(self._moved, sid)

    def left(self, sid: str) -> None:
        """A client has left that was not polling at the moment."""
        _remember(self._left, sid)

    def is_moved(self, sid: str) -> bool:
        """Whether a session goes on elsewhere."""
        return sid in self._moved

    def is_overtaken(self, sid: str) -> bool:
        """Whether a poll was overtaken by its client's leave; asked once for each."""
        return self._left.pop(sid, self) is None


def _remember(kept: OrderedDict[str, None], sid: str) -> None:
    kept[sid] = None
    if len(kept) > MAX_RECENT:
        kept.popitem(last=False)
