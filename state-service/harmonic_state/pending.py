"""A request that waits for its universe."""

from collections.abc import Callable

from harmonic_protocol.envelope import NO_TRACE, Caller, Reply, RequestTrace
from harmonic_protocol.value import individual
from harmonic_state.domain.universe_requests import UniverseRequest


@individual
class PendingRequest:
    """A request, and until when its caller waits for the reply.

    ``deadline_s`` is a time of this process's monotonic clock. ``fresh_id`` and ``fresh_seed`` are
    for what the request creates: drawn once, however often it is decided. ``seen_position`` is the
    position of the universe's log that the request's gateway was sent, and ``seen_seq`` the number
    of the last frame that its members were, 0 if it does not say. With a ``name``, a record that
    names the request replies to it.
    """

    request: UniverseRequest
    caller: Caller
    deadline_s: float
    reply: Callable[[Reply], None]
    fresh_id: str = ""
    fresh_seed: int = 0
    trace: RequestTrace = NO_TRACE
    seen_position: int = 0
    name: str = ""
    seen_seq: int = 0
