"""Asking for a piece, and waiting for it."""

from collections.abc import Mapping
from typing import Any, Protocol

from harmonic_client.errors import RefusedError, UnansweredError
from harmonic_client.events import AnyEvent, EventFeed
from harmonic_client.sending import CommandSender, new_id
from harmonic_client.watch import Watch
from harmonic_protocol.messages.connection import ErrorReported
from harmonic_protocol.messages.music import GenerateMusic, MusicGenerated
from harmonic_protocol.refusals import Refused

#: The server gives up after 5 s; a connection may break and come back meanwhile.
MAX_PIECE_S = 15.0


class Requester(Protocol):
    """Whoever asks for a piece."""

    id: str

    async def joined(self) -> None:
        """Return once the room is joined. Raise the error if it is not."""


async def generate(
    sender: CommandSender, requester: Requester, feed: EventFeed, request: Mapping[str, Any]
) -> MusicGenerated:
    """Return the piece once everyone hears it. A user's pieces in a universe are made in turn."""
    op_id = new_id()
    pieces: list[MusicGenerated] = []
    failures: list[RefusedError] = []
    news = Watch()

    def hear(event: AnyEvent) -> None:
        match event:
            case MusicGenerated(user_id=user) if user == sender.connection.user_id:
                pieces.append(event)
                news.changed()
            case ErrorReported(details={"opId": asked}) if asked == op_id:
                refused = Refused(code=event.code, message=event.message, details=event.details)
                failures.append(RefusedError(refused))
                news.changed()

    with feed.listening(hear):
        payload = {**request, "universeId": requester.id, "opId": op_id}
        # Refusals that acks have told of, by which ``ask`` asked again.
        answered: set[object] = set()

        def is_final(refusal: RefusedError) -> bool:
            answered.add(refusal.refused.details.get("errorId"))
            return False

        seq = await sender.ask(GenerateMusic.spec.name, payload, requester.joined, is_final)

        def own() -> list[MusicGenerated]:
            return [piece for piece in pieces if piece.seq > seq]

        def failed() -> list[RefusedError]:
            return [one for one in failures if one.refused.details.get("errorId") not in answered]

        try:
            await news.until(lambda: bool(own() or failed()), MAX_PIECE_S)
        except TimeoutError:
            raise UnansweredError("the piece did not come") from None
    if piece := own():
        return piece[0]
    raise failed()[0]
