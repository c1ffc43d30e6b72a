"""Reading a universe's log after a position, and the notes that its records refer to."""

import asyncio

from harmonic_gateway.delivery.pieces import Pieces
from harmonic_gateway.owners import Owners
from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import LogPart, ReadEvents, ReadLog
from harmonic_protocol.log import MusicStored
from harmonic_protocol.refusals import Code
from harmonic_runtime.bus.client import Bus, BusUnavailable

#: Logs that are read at the same time.
LOGS_READ_AT_ONCE = 32


class LogTrimmed(Exception):
    """The log does not reach back to a position any more."""


class History:
    """The stored records of universes, for clients that missed some of them."""

    def __init__(self, bus: Bus, owners: Owners, pieces: Pieces, gateway_id: str) -> None:
        self._bus = bus
        self._owners = owners
        self._pieces = pieces
        self._caller = Caller("", "", gateway_id=gateway_id)
        self._turns = asyncio.Semaphore(LOGS_READ_AT_ONCE)

    async def caught_up(self) -> None:
        """Return when all that the broker has sent up to now was handled here.

        Raise :class:`BusUnavailable` where the broker does not answer.
        """
        await self._bus.flush()
        await self._bus.handled()

    async def read(
        self,
        universe_id: str,
        after_position: int,
        after_record: str = "",
        after_mark: int | None = None,
        *,
        inclusive: bool = False,
    ) -> LogPart:
        """The records after a position, or the first of them; with the one there, if ``inclusive``.

        Raise :class:`LogTrimmed` where they are not kept any more, or where another record stands
        there than ``after_record`` or that of ``after_mark``, and :class:`BusUnavailable` where
        the owner cannot be asked.
        """
        request = ReadLog(
            universe_id=universe_id,
            after_position=after_position,
            after_record=after_record or None,
            after_mark=after_mark,
            inclusive=inclusive,
        )
        async with self._turns:
            reply = await self._owners.ask(universe_id, request.operation(), request, self._caller)
        if reply.error is not None and reply.error.code is Code.NOT_FOUND:
            raise LogTrimmed
        if reply.error is not None:
            raise BusUnavailable(reply.error.message)
        return LogPart.model_validate(reply.result)

    async def events(
        self, universe_id: str, after_seq: int, last_seq: int, up_to_position: int
    ) -> LogPart:
        """The records with frames above a number, or the first of them, up to a position.

        ``last_seq`` is the number of the last frame there. Raise :class:`BusUnavailable` where the
        log cannot be read.
        """
        request = ReadEvents(
            universe_id=universe_id,
            after_seq=after_seq,
            last_seq=last_seq,
            up_to_position=up_to_position,
        )
        async with self._turns:
            reply = await self._owners.ask(universe_id, request.operation(), request, self._caller)
        if reply.error is not None:
            raise BusUnavailable(reply.error.message)
        return LogPart.model_validate(reply.result)

    def carried_out(self, names: str, position: int) -> None:
        """Answer the commands that the record at a position names."""
        self._owners.recorded.stored(names, position)

    def left(self, universe_id: str) -> None:
        """End the commands that wait for records of a universe that this gateway unfollowed."""
        self._owners.recorded.missed(universe_id)

    async def bars(self, universe_id: str) -> list[bytes]:
        """What is stored of a universe's bars; raise :class:`BusUnavailable` as ``pieces`` do."""
        return await self._pieces.bars(universe_id)

    async def notes(self, piece: MusicStored) -> bytes | None:
        """The JSON members with a piece's notes; ``None`` if they are not kept any more."""
        return await self._pieces.notes(piece)
