"""Which replica is asked: the same one for the same key, as long as it lives."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping

from harmonic_runtime.bus.client import AnswerLost, Bus, BusTimeout, NoResponders
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.bus.wire import Message

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

    When a replica comes or goes, only keys that it is first for change their first.
    """
    return sorted(replicas, key=lambda replica: (_weight(key, replica), replica), reverse=True)


def _weight(key: str, replica: str) -> bytes:
    return hashlib.blake2b(key.encode(), key=replica.encode()[:64], digest_size=8).digest()


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
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + deadline_s
        while True:
            replicas = self._replicas(key)
            for number, replica in enumerate(replicas, start=1):
                left_s = ends_at - loop.time()
                # Silence may be slowness: who was asked is not asked again, which would add to it.
                others = number < len(replicas)
                try:
                    return await self._bus.request(
                        f"hu.{self._service}.{replica}.{operation}",
                        payload,
                        headers=headers,
                        timeout_s=min(SILENCE_S, left_s) if repeatable and others else left_s,
                    )
                except NoResponders:
                    continue
                except (BusTimeout, AnswerLost) as error:
                    error.replica = replica
                    asks_next = isinstance(error, BusTimeout) and repeatable and others
                    if not asks_next or loop.time() + RETRY_PAUSE_S > ends_at:
                        raise
            left_s = ends_at - loop.time()
            if left_s < RETRY_PAUSE_S:
                raise NoResponders(f"no replica of {self._service} listens")
            await self._directory.news(RETRY_PAUSE_S)

    def _replicas(self, key: str) -> list[str]:
        live = self._directory.live()
        if live is not self._live or len(self._ranked) >= MAX_RANKED_KEYS:
            self._live, self._ranked = live, {}
        replicas = self._ranked.get(key)
        if replicas is None:
            replicas = self._ranked[key] = rank(key, live)
        return replicas
