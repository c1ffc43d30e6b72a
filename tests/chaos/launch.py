"""``python launch.py <faults> <module>``: runs a service that has a fault built in.

So the tests show that they would notice. The product has no switch for any of this.
"""

import asyncio
import random
import runpy
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from harmonic_gateway.delivery import chain, feed
from harmonic_gateway.membership import heads
from harmonic_protocol import subjects
from harmonic_runtime.bus import routing, streams
from harmonic_runtime.bus.client import BusUnavailable, NoResponders
from harmonic_runtime.bus.wire import Message
from harmonic_state.domain import decide

#: How many of the records that it is sent a deaf gateway does not hear.
DEAFNESS = 0.1
#: What makes a record unlucky, and how long its stream then has no leader.
UNLUCKY_GRAVITY = 13.125
UNLUCKY = b'"gravity":%g' % UNLUCKY_GRAVITY
LEADERLESS_S = 1.0


def no_fencing() -> None:
    """Appends follow whatever the log ends with, and not what they were decided on.

    They say so, as any append does: what takes no position would count for nothing.
    """
    begin_append = streams.Streams.begin_append
    tasks: set[asyncio.Task[None]] = set()

    def anywhere(self: streams.Streams, subject: str, payload: bytes, **options: Any) -> None:
        on_outcome = options.pop("on_outcome")

        async def again() -> None:
            stream = subjects.log_stream_of(subject.rpartition(".")[2])
            try:
                (last,) = await self.newest(stream, [subject])
            except BusUnavailable as error:
                on_outcome(error)
                return
            options["expected_last_subject_sequence"] = last.sequence
            begin_append(self, subject, payload, on_outcome=settle, **options)

        def settle(outcome: int | Exception) -> None:
            if isinstance(outcome, streams.WrongSequence) and subject.startswith("hu.log."):
                task = asyncio.get_running_loop().create_task(again())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            else:
                on_outcome(outcome)

        begin_append(self, subject, payload, on_outcome=settle, **options)

    streams.Streams.begin_append = anywhere  # type: ignore[method-assign]


def no_op_ids() -> None:
    """A command that is sent again is applied again."""
    setattr(decide, "earlier", lambda *_: None)  # noqa: B010 -- no name of the module's own


def no_chain() -> None:
    """A gateway does not look whether a record follows the one before, or the one it was told of.

    That is all that it knows of by itself. Each record is made to follow the one that was heard
    before it: another predecessor would tell that the log was turned back.
    """
    hear = chain.Chain.hear

    def trustful(self: chain.Chain, heard: chain.Heard) -> None:
        before = self._heard[-1].position if self._heard else self.position
        if before is not None:
            heard = heard._replace(previous=before)
        hear(self, heard)

    chain.Chain.hear = trustful  # type: ignore[method-assign]
    setattr(feed.Feed, "expect", _nothing)  # noqa: B010 -- it takes anything


def no_heads() -> None:
    """A gateway does not listen to owners, and asks none, how far logs have come."""
    for method in ("hear", "compare_all", "look_at_owners"):
        setattr(heads.HeadWatch, method, _nothing)


def _nothing(*_: object) -> None:
    pass


def deaf() -> None:
    """A gateway misses some of what it is sent. This is no fault of ours: it must cope."""
    hear, chance = feed.Feed.hear, random.Random(1)

    def hard_of_hearing(self: feed.Feed, message: Message) -> None:
        if chance.random() >= DEAFNESS:
            hear(self, message)

    feed.Feed.hear = hard_of_hearing  # type: ignore[method-assign]


def unanswered() -> None:
    """The append of an unlucky record is stored, but not answered; then the stream has no leader.

    This is what a leader's death does, at the worst moment.
    """
    begin_append = streams.Streams.begin_append
    ends_at: dict[str, float] = {}

    def answerless(self: streams.Streams, subject: str, payload: bytes, **options: Any) -> None:
        if time.monotonic() < ends_at.get(subject, 0):
            raise NoResponders
        if subject not in ends_at and UNLUCKY in payload:
            on_outcome = options.pop("on_outcome")

            def stored(_: int | Exception) -> None:
                ends_at[subject] = time.monotonic() + LEADERLESS_S
                on_outcome(streams.AppendUnknown())

            options["on_outcome"] = stored
        begin_append(self, subject, payload, **options)

    streams.Streams.begin_append = answerless  # type: ignore[method-assign]


def deaf_to_the_unlucky() -> None:
    """A gateway does not hear an unlucky record: the leader that was to say it is dead."""
    hear = feed.Feed.hear

    def selectively(self: feed.Feed, message: Message) -> None:
        if UNLUCKY not in message.payload:
            hear(self, message)

    feed.Feed.hear = selectively  # type: ignore[method-assign]


def contrary() -> None:
    """A gateway takes the last for the first owner. Nor is this a fault: others may differ."""
    rank = routing.rank
    routing.rank = lambda key, replicas: rank(key, replicas)[::-1]


FAULTS: Mapping[str, Callable[[], None]] = {
    fault.__name__: fault
    for fault in (
        *(no_fencing, no_op_ids, no_chain, no_heads),
        *(deaf, contrary, unanswered, deaf_to_the_unlucky),
    )
}


def main() -> None:
    _, built_in, module = sys.argv
    for name in built_in.split(","):
        FAULTS[name]()
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
