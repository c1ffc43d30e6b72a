"""Which replica is asked: the same one for the same key, as long as it is alive."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, NamedTuple

from harmonic_runtime.bus.client import (
    Answer,
    AnswerLost,
    Bus,
    BusTimeout,
    BusUnavailable,
    NoResponders,
)
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.process.clock import SystemClock

#: Where no replica listens, how long until all are tried again, unless one is heard before. With
#: less than that to the deadline, they are not: a try that is cut short would leave it open
#: whether it was received.
RETRY_PAUSE_S = 0.1
#: So many keys' rankings are kept, until there are more or the replicas change.
MAX_RANKED_KEYS = 16_384
#: How long a replica may be silent before the next is asked what may be asked twice.
SILENCE_S = 0.5


def rank(key: str, replicas: Iterable[str]) -> list[str]:
    """The replicas in the order in which they are asked for a key, the same in every process.

    When a replica comes or goes, only the keys that rank it first are affected.
    """
    return sorted(replicas, key=lambda replica: (_weight(key, replica), replica), reverse=True)


def _weight(key: str, replica: str) -> bytes:
    return hashlib.blake2b(key.encode(), key=replica.encode()[:64], digest_size=8).digest()


class _Question(NamedTuple):
    """What a replica is asked."""

    operation: str
    payload: bytes
    headers: Mapping[str, str]
    repeatable: bool

    def patience_s(self, left_s: float, *, others: bool) -> float:
        """How long a replica is waited for, if there are ``others`` to ask."""
        return min(SILENCE_S, left_s) if self.repeatable and others else left_s

    def asks_next(self, failure: BusUnavailable, *, others: bool) -> bool:
        """Whether another replica may be asked after one that failed to answer."""
        is_unheard = isinstance(failure, NoResponders)
        return is_unheard or (isinstance(failure, BusTimeout) and self.repeatable and others)


class OwnerClient:
    """Asks the replica of a service that a key belongs to, at ``hu.<service>.<replica>.…``."""

    def __init__(self, bus: Bus, directory: Directory, service: str) -> None:
        self._bus = bus
        self._directory = directory
        self._service = service
        self._live: frozenset[str] = frozenset()
        self._ranked: dict[str, list[str]] = {}

    async def request(
        self,
        key: str,
        operation: str,
        payload: bytes,
        *,
        headers: Mapping[str, str],
        deadline_s: float,
        repeatable: bool = False,
    ) -> Message:
        """The answer of the key's owner, within ``deadline_s``.

        Where a replica does not listen, the next one is asked at once; where none does, all are
        asked again until shortly before the deadline, and then :class:`NoResponders` is raised:
        nobody has received it.

        A replica that listens but does not answer may carry the request out, even if it is
        taken for dead meanwhile. Where that may happen twice, which ``repeatable`` says, the
        next one is asked after a short silence; else no other is, and :class:`BusTimeout` is
        raised at the deadline: whether to ask again is for the caller to decide. The same
        holds for :class:`AnswerLost`; any other :class:`BusUnavailable` means that nothing was
        sent.
        """
        return await self._request(
            _Question(operation, payload, headers, repeatable), key, deadline_s
        )

    def begin(
        self,
        key: str,
        operation: str,
        payload: bytes,
        *,
        headers: Mapping[str, str],
        deadline_s: float,
        repeatable: bool = False,
        on_answer: Callable[[Answer | Coroutine[Any, Any, Message]], None],
    ) -> str | None:
        """Ask as :meth:`request` does, for callers without a task.

        Nearly always the first replica answers. ``on_answer`` is called with its answer, with the
        reason why there is none, or with a coroutine that asks the other replicas. The result, if
        a replica was asked, is for :meth:`answered`.
        """
        question = _Question(operation, payload, headers, repeatable)
        replicas = self._replicas(key)
        if not replicas:
            on_answer(self._request(question, key, deadline_s))
            return None
        replica, others = replicas[0], len(replicas) > 1
        began_s = SystemClock.monotonic()

        def take(answer: Answer) -> None:
            if isinstance(answer, Message):
                on_answer(answer)
            elif question.asks_next(answer, others=others):
                left_s = deadline_s - (SystemClock.monotonic() - began_s)
                on_answer(self._request(question, key, left_s, begun=answer))
            else:
                answer.replica = replica
                on_answer(answer)

        return self._bus.ask(
            self._subject(replica, operation),
            payload,
            headers=headers,
            timeout_s=question.patience_s(deadline_s, others=others),
            on_answer=take,
        )

    def answered(self, asked: str) -> None:
        """Expect no answer to this request: another message was its answer."""
        self._bus.forget(asked, is_answered=True)

    async def _request(
        self,
        question: "_Question",
        key: str,
        deadline_s: float,
        *,
        begun: BusUnavailable | None = None,
    ) -> Message:
        """Ask; ``begun`` is what came of asking the first replica, if that was done."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + deadline_s
        while True:
            replicas = self._replicas(key)
            for number, replica in enumerate(replicas, start=1):
                left_s = ends_at - loop.time()
                # Silence may be slowness: who was asked is not asked again, which would add to it.
                others = number < len(replicas)
                failure, begun = begun, None
                if failure is None:
                    try:
                        return await self._bus.request(
                            self._subject(replica, question.operation),
                            question.payload,
                            headers=question.headers,
                            timeout_s=question.patience_s(left_s, others=others),
                        )
                    except (NoResponders, BusTimeout, AnswerLost) as error:
                        failure = error
                if isinstance(failure, NoResponders):
                    continue
                failure.replica = replica
                if (
                    not question.asks_next(failure, others=others)
                    or loop.time() + RETRY_PAUSE_S > ends_at
                ):
                    raise failure
            begun = None
            left_s = ends_at - loop.time()
            if left_s < RETRY_PAUSE_S:
                raise NoResponders(f"no replica of {self._service} listens")
            await self._directory.news(RETRY_PAUSE_S)

    def _subject(self, replica: str, operation: str) -> str:
        return f"hu.{self._service}.{replica}.{operation}"

    def _replicas(self, key: str) -> list[str]:
        live = self._directory.live()
        if live is not self._live or len(self._ranked) >= MAX_RANKED_KEYS:
            self._live, self._ranked = live, {}
        replicas = self._ranked.get(key)
        if replicas is None:
            replicas = self._ranked[key] = rank(key, live)
        return replicas
