"""Pages of a room's past events, read from the universe's log."""

from collections.abc import Iterator
from typing import Any

from harmonic_gateway.delivery.frames import encode, with_notes
from harmonic_gateway.delivery.history import History
from harmonic_protocol.catalogue import EVENTS
from harmonic_protocol.internal import LogPart
from harmonic_protocol.log import NOTICES, OWNERS_NOTES, MusicStored
from harmonic_protocol.messages.declaration import Audience
from harmonic_protocol.messages.reading import ListEvents

#: Events that are no frames, whatever numbers they tell.
_HIDDEN = NOTICES.keys() | OWNERS_NOTES.keys()
#: A page ends with the event that brings it above this: a piece's notes alone may take as much.
ENOUGH_PAGE_BYTES = 1024 * 1024


class PastEvents:
    """Reads pages of events: each as members were sent it, with a piece's notes."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def page(self, asked: ListEvents, seq: int, position: int) -> bytes:
        """An ``EventPage`` up to the universe's ``seq``, at a ``position`` of its log, as JSON.

        Raise :class:`BusUnavailable` where the log cannot be read.
        """
        part = await self._history.events(asked.universe_id, asked.after, seq, position)
        items: list[bytes] = []
        last, size = min(asked.after, seq), 0
        for number, name, data in _numbered(part):
            if number <= asked.after:
                continue
            if len(items) >= asked.limit or size > ENOUGH_PAGE_BYTES:
                break
            body = await self._body(name, data)
            last = number
            if body is not None:
                items.append(b'{"event":"%b","data":%b}' % (name.encode(), body))
                size += len(body)
        else:
            last = max(last, seq) if part.complete else last
        first = seq + 1 if part.first_seq is None else part.first_seq
        return b'{"items":[%b],"firstSeq":%d,"lastSeq":%d}' % (b",".join(items), first, last)

    async def _body(self, name: str, data: dict[str, Any]) -> bytes | None:
        """An event's payload; ``None`` for what members are not sent."""
        if name == MusicStored.name:
            music = MusicStored.model_validate(data)
            notes = await self._history.notes(music)
            return None if notes is None else with_notes(music, notes).data
        if name in EVENTS and EVENTS[name].spec.audience is Audience.ROOM:
            return encode(name, data).data
        return None


def _numbered(part: LogPart) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """The events that are frames, with their numbers."""
    for logged in part.records:
        for event in logged.record.events:
            number = event.data.get("seq")
            if isinstance(number, int) and event.name not in _HIDDEN:
                yield number, event.name, event.data
