"""The requests that wait for one universe, in order, each until its deadline. Pure."""

from collections import deque
from collections.abc import Iterable, Iterator

from harmonic_protocol.messages.universes import DeleteUniverse
from harmonic_state.losses import Seen
from harmonic_state.pending import PendingRequest


class WaitingLine:
    """A bounded queue; requests that were taken from it can be put back in front."""

    def __init__(self, max_length: int) -> None:
        self._max_length = max_length
        self._requests: deque[PendingRequest] = deque()
        #: No deadline of these is earlier.
        self._earliest_s = 0.0

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[PendingRequest]:
        return iter(self._requests)

    @property
    def seen(self) -> Seen:
        """How far the gateways of these requests were sent the log."""
        position = seq = unnumbered = 0
        for pending in self._requests:
            position = max(position, pending.seen_position)
            if pending.seen_seq:
                seq = max(seq, pending.seen_seq)
            else:
                unnumbered = max(unnumbered, pending.seen_position)
        return Seen(position, seq, unnumbered)

    def add(self, pending: PendingRequest) -> bool:
        """Put a request at the end; ``False`` if the queue is full."""
        if len(self._requests) >= self._max_length:
            return False
        if not self._requests or pending.deadline_s < self._earliest_s:
            self._earliest_s = pending.deadline_s
        self._requests.append(pending)
        return True

    def put_back(self, requests: Iterable[PendingRequest]) -> None:
        """Put requests in front, in their order."""
        self._requests.extendleft(reversed(list(requests)))
        self._earliest_s = 0.0

    def take(self, limit: int) -> list[PendingRequest]:
        """Take the first requests, at most ``limit``, that may share a record."""
        batch = [self._requests.popleft()]
        if not self._requests:
            return batch
        # A tombstone has a record of its own, since everything before it is erased.
        while (
            self._requests
            and len(batch) < limit
            and not isinstance(batch[-1].request, DeleteUniverse)
            and not isinstance(self._requests[0].request, DeleteUniverse)
        ):
            batch.append(self._requests.popleft())
        return batch

    def take_all(self) -> list[PendingRequest]:
        """Take all requests."""
        requests, self._requests = list(self._requests), deque()
        return requests

    def take_overdue(self, now_s: float) -> list[PendingRequest]:
        """Take the requests whose deadline has passed."""
        if not self._requests or now_s < self._earliest_s:
            return []
        overdue = [pending for pending in self._requests if pending.deadline_s <= now_s]
        if overdue:
            self._requests = deque(each for each in self._requests if each.deadline_s > now_s)
        self._earliest_s = min((each.deadline_s for each in self._requests), default=0.0)
        return overdue
