"""What one hostile client does from its first byte to its last, made from a seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.expensive import EVENTS, FRAMES, LIVE, REQUESTS
from fuzz.packets import MAX_FRAMES, auths, frames, packets, proper_frames
from fuzz.payloads import encoded
from fuzz.requests import raw_bytes, requests, streams

Kind: TypeAlias = Literal["websocket", "polling", "request", "stream", "bytes"]
#: What a conversation's data is made from; what needs more is left out.
_ENTROPY_BYTES = 6_000
_SEPARATOR = b"\x1e"
#: Inputs of a client that does not stop by itself.
ENDLESS = 60


@dataclass(frozen=True)
class Conversation:
    """``steps`` are inputs: frames, bodies, requests or mere bytes, as they stand on the wire.

    ``auth`` is added to the token at the connect; without it, the first step has to do. With
    ``joins``, the client is in the neighbour's room before it begins. ``resets`` ends it rudely.
    """

    kind: Kind
    steps: tuple[bytes, ...]
    auth: str | None = None
    joins: bool = False
    resets: bool = False


def _websocket(drawn: tuple[Any, ...]) -> Conversation:
    steps, auth, connects, joins, resets = drawn
    said = encoded(auth) if connects else None
    return Conversation("websocket", tuple(steps), said, joins, resets)


def _polling(drawn: tuple[Any, ...]) -> Conversation:
    bodies, auth, connects, joins, resets = drawn
    steps = tuple(_SEPARATOR.join(body) for body in bodies)
    return Conversation("polling", steps, encoded(auth) if connects else None, joins, resets)


_mostly = st.sampled_from((True,) * 9 + (False,))


def _anew(auth: dict[str, Any]) -> dict[str, Any]:
    """Without a way to come back: a ``pid`` that is made up leads nowhere."""
    return auth if "pid" in auth else {**auth, "recovery": 0}


_mostly = st.sampled_from((True,) * 9 + (False,))
_auths_of = {
    False: st.one_of(auths, st.just({})).map(_anew),
    True: st.one_of(auths, st.just({}), st.just({"pid": "PID"})),
}


def _conversations(
    tokens: Sequence[str], services: Sequence[str], *, returns: bool
) -> Sequence[st.SearchStrategy[Conversation]]:
    """All kinds, each as often as it is to come."""
    manner = (_auths_of[returns], _mostly, _mostly, st.booleans())
    wild = st.tuples(st.lists(frames, min_size=3, max_size=MAX_FRAMES), *manner)
    tame = st.tuples(st.lists(proper_frames, min_size=5, max_size=MAX_FRAMES), *manner)
    polling = st.tuples(
        st.lists(st.lists(packets, min_size=1, max_size=3), min_size=2, max_size=6), *manner
    )
    dear = st.lists(st.sampled_from((*EVENTS.values(), *FRAMES.values())), min_size=3, max_size=8)
    endless = st.sampled_from((*EVENTS.values(), *LIVE.values())).map(lambda one: [one] * ENDLESS)
    expensive = st.tuples(st.one_of(dear, dear, dear, endless), *manner)
    demanding = st.sampled_from(tuple(REQUESTS.values()))
    callers = (*tokens, *services)
    request = requests(callers).map(lambda step: Conversation("request", (step,)))
    stream = st.tuples(streams(callers), st.booleans()).map(
        lambda drawn: Conversation("stream", (drawn[0],), resets=drawn[1])
    )
    nothing = raw_bytes.map(lambda step: Conversation("bytes", (step,)))
    return (
        *[tame.map(_websocket)] * 6,
        *[wild.map(_websocket)] * 4,
        polling.map(_polling),
        expensive.map(_websocket),
        demanding.map(lambda step: Conversation("request", (step,))),
        *[request] * 8,
        *[stream] * 2,
        *[nothing] * 3,
    )


def conversations(
    seed: int, tokens: Sequence[str], services: Sequence[str] = (), *, returns: bool = False
) -> Iterator[Conversation]:
    """Conversations without end, the same for the same seed; clients come back in ``returns``.

    ``services`` are tokens that services say, good ones and others.
    """
    random = Random(seed)
    kinds = [_Source(strategy) for strategy in _conversations(tokens, services, returns=returns)]
    while True:
        made = random.choice(kinds).make(random.randbytes(_ENTROPY_BYTES))
        if made is not None:
            yield made


class _Source:
    """A strategy as a function of bytes."""

    def __init__(self, strategy: st.SearchStrategy[Conversation]) -> None:
        self._made: Conversation | None = None

        @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
        @given(strategy)
        def take(conversation: Conversation) -> None:
            self._made = conversation

        self._fuzz = take.hypothesis.fuzz_one_input  # type: ignore[attr-defined]

    def make(self, entropy: bytes) -> Conversation | None:
        """A conversation, if there are bytes enough for it."""
        self._made = None
        self._fuzz(entropy)
        return self._made
