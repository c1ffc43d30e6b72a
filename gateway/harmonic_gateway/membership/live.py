"""What rooms show and nothing stores: live signals, and states of participants."""

from collections.abc import Callable, Sequence

from harmonic_gateway.delivery.signals import Signals, event_name, left_out, unpack
from harmonic_gateway.membership.bars import RoomBars
from harmonic_gateway.membership.membership import Membership
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.presence import RoomPresence
from harmonic_gateway.membership.state_questions import ANNOUNCED
from harmonic_gateway.membership.witness import Witness
from harmonic_gateway.sockets import Frame, broadcast
from harmonic_protocol import subjects
from harmonic_protocol.internal import LOG_END_ASKED, JoinResult, JoinTold
from harmonic_protocol.messages.presence import PresenceUpdated
from harmonic_runtime.bus.wire import Message


class LiveLayer:
    """The effects of a room's stored events and signals on states that are not stored."""

    def __init__(
        self, signals: Signals, presence: RoomPresence, bars: RoomBars, witness: Witness
    ) -> None:
        self._signals = signals
        self.bars = bars
        self._witness = witness
        self.presence = presence

    def hear(self, universe_id: str, message: Message) -> None:
        """Take a signal of a room, a question about it, or a bar."""
        if subjects.is_bar(message.subject):
            self.bars.heard(universe_id, message)
            return
        name = event_name(message)
        if name == LOG_END_ASKED:
            self.asked(universe_id, message)
            return
        if name == ANNOUNCED:
            self.presence.announced(universe_id, message)
            return
        if name == PresenceUpdated.spec.name:
            # Before it waits for its turn: others may ask for it meanwhile.
            self.presence.heard(universe_id, message)
        self._signals.take(universe_id, message)

    def asked(self, universe_id: str, message: Message) -> None:
        """Answer a signal if it is an owner's question: also of a room without members, or lost."""
        if event_name(message) == LOG_END_ASKED:
            self._witness.testify(universe_id, message.reply)

    def stored(self, universe_id: str, frames: Sequence[Frame]) -> None:
        """Note frames that are delivered now."""
        self._signals.stored(universe_id, frames)
        self.presence.stored(universe_id, frames)
        self.bars.stored(universe_id, frames)

    def admitted(self, membership: Membership) -> None:
        """A connection was shown a room, or may have missed something of it."""
        self.presence.admitted(membership)
        self.bars.admitted(membership)

    def leave(self, universe_id: str) -> None:
        """Nothing of a room is heard any more: nobody is here."""
        self.presence.leave(universe_id)
        self.bars.leave(universe_id)

    def located(self, told: JoinResult | JoinTold, *also: str) -> None:
        """Note where an owner says that a room's members are; ``also`` a gateway where one was."""
        gateways = None if told.gateways is None else {*told.gateways, *also}
        if isinstance(told, JoinTold):
            universe_id, at = told.universe_id, str(told.room["timestamp"])
            users = (str(each["userId"]) for each in told.room["participants"])
            piece = told.room.get("endlessPiece")
            stream_id = None if piece is None else str(piece["streamId"])
        else:
            universe_id, at = told.room.universe_id, told.room.timestamp
            users = (each.user_id for each in told.room.participants)
            playing = told.room.endless_piece
            stream_id = None if playing is None else playing.stream_id
        self.presence.located(universe_id, gateways, users, at)
        self.bars.located(universe_id, stream_id)


def relay_to(memberships: Memberships) -> Callable[[str, Sequence[Message]], None]:
    """Sends live signals of a universe to its members here, each member's in one write."""

    def relay(universe_id: str, messages: Sequence[Message]) -> None:
        frames: list[Frame] = []
        own: dict[str, list[Frame]] = {}
        for message in messages:
            frame = unpack(message)
            if frame is None:
                continue
            frames.append(frame)
            sender = left_out(message)
            if sender is not None:
                own.setdefault(sender, []).append(frame)
        if not frames:
            return
        present = memberships.present(universe_id)
        if not own:
            broadcast(frames, present)
            return
        broadcast(frames, [each for each in present if each.connection.id not in own])
        for each in memberships.present(universe_id):
            left = own.get(each.connection.id)
            if left is not None and (others := [one for one in frames if one not in left]):
                broadcast(others, [each])

    return relay
