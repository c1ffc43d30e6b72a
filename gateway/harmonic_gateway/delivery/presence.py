"""The states of participants in memory: the last one of each, by universe. Pure.

Invariants:

- The latest state of a participant is kept, by the shared time at its sender's gateway, and by the
  sender's id for equal times. All gateways end with the same states, in whatever order these come.
- The kept states are bounded, in bytes and in number. A further state is shown to the members, and
  not kept.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic_core import from_json, to_json

from harmonic_gateway.sockets import Frame
from harmonic_protocol.handed import HandedState
from harmonic_protocol.messages.presence import MAX_STATES_BYTES, PresenceStates
from harmonic_protocol.messages.rooms import ParticipantLeft

#: All states that a gateway keeps.
MAX_KEPT_BYTES = 64 * 1024 * 1024
MAX_KEPT_STATES = 200_000
#: What a state takes besides its text.
_OVERHEAD_BYTES = 400
#: What an event takes besides its data: its namespace and its name.
NAME_BYTES = 64


class Stated(NamedTuple):
    """A state: when it was said, over which connection, and how it is shown, as JSON."""

    at: str
    sender: str
    shown: bytes

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        return len(self.shown) + _OVERHEAD_BYTES


def stated(handed: HandedState) -> Stated:
    """A state as it is kept."""
    shown = to_json({"userId": handed.user_id, "state": handed.state})
    return Stated(handed.at, handed.sender, shown)


def heard(payload: bytes, sender: str) -> tuple[str, Stated]:
    """Whose state a ``presence_updated`` is, and the state; ``sender`` is its connection."""
    event = from_json(payload)
    user_id = event["userId"]
    shown = to_json({"userId": user_id, "state": event["state"]})
    return user_id, Stated(event["timestamp"], sender, shown)


def leavers(frames: Iterable[Frame]) -> list[str]:
    """The users who have left their room by these frames."""
    left = ParticipantLeft.spec.name
    return [from_json(frame.data)["userId"] for frame in frames if frame.name == left]


def handed(user_id: str, kept: Stated) -> HandedState:
    """A state as another gateway is told it."""
    state = from_json(kept.shown)["state"]
    return HandedState(user_id=user_id, at=kept.at, sender=kept.sender, state=state)


@dataclass(slots=True)
class _Room:
    """The states of one universe; its ``frames`` until one changes."""

    states: dict[str, Stated] = field(default_factory=dict)
    frames: list[Frame] | None = None


class KeptStates:
    """The states of all universes that this gateway has members in."""

    def __init__(
        self, *, max_bytes: int = MAX_KEPT_BYTES, max_states: int = MAX_KEPT_STATES
    ) -> None:
        self._max_bytes, self._max_states = max_bytes, max_states
        self._rooms: dict[str, _Room] = {}
        self.size_bytes = 0
        self.number = 0
        #: States that were not kept for want of space.
        self.turned_away = 0

    def of(self, universe_id: str) -> Mapping[str, Stated]:
        """What is kept of a universe, by user."""
        room = self._rooms.get(universe_id)
        return room.states if room is not None else {}

    def frames(self, universe_id: str) -> list[Frame]:
        """The kept states, as a newcomer is sent them."""
        room = self._rooms.get(universe_id)
        if room is None:
            return []
        if room.frames is None:
            room.frames = frames_of(universe_id, room.states.values())
        return room.frames

    def take(self, universe_id: str, user_id: str, said: Stated, *, is_heard: bool = False) -> bool:
        """Keep a state, unless a later one is known; whether it is kept.

        One that ``is_heard`` right now comes after those of the same connection and time.
        """
        known = self.of(universe_id).get(user_id)
        if known is not None and (said.at, said.sender) < (known.at, known.sender):
            return False
        if known is not None and not is_heard and said[:2] == known[:2]:
            return False
        more_bytes = said.size_bytes - (known.size_bytes if known is not None else 0)
        more = 0 if known is not None else 1
        if self.size_bytes + more_bytes > self._max_bytes or self.number + more > self._max_states:
            self.turned_away += 1
            # What is kept would be shown as if it were the last one.
            self.forget(universe_id, [user_id])
            return False
        room = self._rooms.setdefault(universe_id, _Room())
        room.states[user_id], room.frames = said, None
        self.size_bytes += more_bytes
        self.number += more
        return True

    def forget(self, universe_id: str, user_ids: Iterable[str]) -> None:
        """Forget the states of users who left the room."""
        room = self._rooms.get(universe_id)
        if room is None:
            return
        for user_id in user_ids:
            gone = room.states.pop(user_id, None)
            if gone is not None:
                self.size_bytes -= gone.size_bytes
                self.number -= 1
                room.frames = None
        if not room.states:
            del self._rooms[universe_id]

    def newest(self, universe_id: str) -> str:
        """When the latest state of a universe was said; empty if there is none."""
        return max((each.at for each in self.of(universe_id).values()), default="")

    def retain(self, universe_id: str, user_ids: Collection[str]) -> None:
        """Keep these users' states, and no others."""
        self.forget(universe_id, [user for user in self.of(universe_id) if user not in user_ids])

    def prune(self, universe_id: str, present: Iterable[str], before: str) -> None:
        """Forget states from before a time, of users who are not in the room."""
        states = self.of(universe_id)
        gone = [user for user in states.keys() - set(present) if states[user].at < before]
        self.forget(universe_id, gone)


def frames_of(universe_id: str, states: Iterable[Stated]) -> list[Frame]:
    """States in as many ``presence_states`` as it takes."""
    name = PresenceStates.spec.name
    head, tail = b'{"universeId":"%s","states":[' % universe_id.encode(), b"]}"
    most_bytes = MAX_STATES_BYTES - NAME_BYTES
    datas: list[bytes] = []
    for each in states:
        if datas and len(datas[-1]) + len(each.shown) + len(b"," + tail) <= most_bytes:
            datas[-1] += b"," + each.shown
        else:
            datas.append(head + each.shown)
    return [Frame.event(name, data + tail) for data in datas]
