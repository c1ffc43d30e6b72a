"""What participants show of themselves in the rooms here: heard, asked of other gateways, told.

Each gateway keeps the states of the rooms that it has members in. It hears them as everybody does;
what was said before it listened, it asks of the gateways that the room's members are at. After
anything that may have swallowed messages, it asks again, and announces what its own members show.
What is news by then is shown to those who are there.
"""

import asyncio
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from harmonic_gateway import metrics as table
from harmonic_gateway.delivery.frames import encode_event
from harmonic_gateway.delivery.presence import (
    KeptStates,
    Stated,
    frames_of,
    handed,
    heard,
    leavers,
    stated,
)
from harmonic_gateway.delivery.signals import SENDER
from harmonic_gateway.membership.membership import Membership, Presence
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.state_questions import StateQuestions
from harmonic_gateway.sockets import Frame, broadcast
from harmonic_protocol.handed import HandedState, PresenceAsked, PresenceTold
from harmonic_protocol.messages.presence import PresenceUpdated
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import timestamp

#: Bytes of states in one answer; a room's are never parted.
ANSWER_BYTES = 2 * 1024 * 1024
#: Clocks differ, and messages take their time: by less than this.
MARGIN_S = 30.0


class RoomPresence:
    """The states of participants, and who is to be shown them.

    Those of users whose connections broke are kept for ``kept_s`` in rooms that are left: their
    clients may go on at another gateway, which asks for them.
    """

    def __init__(
        self, memberships: Memberships, questions: StateQuestions, kept_s: float, metrics: Metrics
    ) -> None:
        self._memberships = memberships
        self._questions = questions
        self._kept_s = kept_s
        self._kept = KeptStates()
        self._located: set[str] = set()
        #: Until when the states of users whose connections broke are to be had, by room.
        self._departing: dict[str, dict[str, float]] = {}
        #: What ends them in rooms that are left, by room.
        self._timers: dict[str, asyncio.TimerHandle] = {}
        metrics.gauge_from(table.PRESENCE_STATES, lambda: self._kept.number)
        metrics.gauge_from(table.PRESENCE_BYTES, lambda: self._kept.size_bytes)
        self._turned_away = metrics.counter(table.PRESENCE_TURNED_AWAY)

    # What is said.

    def heard(self, universe_id: str, message: Message) -> None:
        """Somebody in a room shows something else of itself; the signal is relayed elsewhere."""
        user_id, said = heard(message.payload, message.headers.get(SENDER, ""))
        self._take(universe_id, user_id, said, is_heard=True)

    def announced(self, universe_id: str, message: Message) -> None:
        """A gateway says again what its members show: news are shown to those who are here."""
        for each in PresenceTold.model_validate_json(message.payload).states.get(universe_id, ()):
            if not self._take(universe_id, each.user_id, stated(each)):
                continue
            updated = PresenceUpdated.model_construct(
                universe_id=universe_id, state=each.state, user_id=each.user_id, timestamp=each.at
            )
            frame = encode_event(updated, PresenceUpdated.spec.name)
            members = self._greeted(universe_id)
            broadcast([frame], [one for one in members if one.connection.id != each.sender])

    def stored(self, universe_id: str, frames: Iterable[Frame]) -> None:
        """These frames of a room are delivered: who has left shows nothing any more."""
        if self._kept.of(universe_id):
            self._kept.forget(universe_id, leavers(frames))

    # Who is there.

    def located(
        self, universe_id: str, gateways: Collection[str] | None, users: Iterable[str], at: str
    ) -> None:
        """The owner has told who is in a room, and at which gateways: they are asked, once.

        A replica of the version before does not name them: then all are.
        """
        if self._kept.of(universe_id):
            self._kept.prune(universe_id, users, _before(at))
        if universe_id not in self._located:
            self._located.add(universe_id)
            self._questions.ask(gateways, {universe_id: ""}, self._show)

    def admitted(self, membership: Membership) -> None:
        """A connection was shown a room, or may have missed something of it."""
        room = self._memberships.room(membership.universe_id)
        if membership.stage is not Presence.PRESENT or room is None or room.awaits(membership):
            return
        frames = self._kept.frames(membership.universe_id)
        if frames:
            membership.connection.send_all(frames, membership.elsewhere)

    def departed(self, membership: Membership) -> None:
        """A connection broke, and its client may go on at another gateway."""
        universe_id = membership.universe_id
        if self._kept.of(universe_id):
            user_id = membership.connection.session.identity.user_id
            now_s, departing = _now_s(), self._departing.setdefault(universe_id, {})
            departing[user_id] = now_s + self._kept_s
            if len(departing) > len(self._kept.of(universe_id)):
                self._departing[universe_id] = {
                    user: until_s for user, until_s in departing.items() if until_s > now_s
                }

    def leave(self, universe_id: str) -> None:
        """Nothing of a room is heard any more: nobody is here."""
        self._located.discard(universe_id)
        self._expire(universe_id)

    def _expire(self, universe_id: str) -> None:
        """Forget the states in a left room whose users have not returned in time.

        The room may have been entered and left again since the timer was set, so each user counts
        by the time of its own departure.
        """
        timer = self._timers.pop(universe_id, None)
        if timer is not None:
            timer.cancel()
        if universe_id in self._located:
            return
        departing, now_s = self._departing.pop(universe_id, {}), _now_s()
        left = {user: until_s for user, until_s in departing.items() if until_s > now_s}
        self._kept.retain(universe_id, left)
        if left:
            self._departing[universe_id] = left
            self._timers[universe_id] = asyncio.get_running_loop().call_at(
                min(left.values()), self._expire, universe_id
            )

    # Clients that move.

    def hand_over(self, membership: Membership) -> HandedState | None:
        """What a client's user shows in a room, for the gateway at which it goes on."""
        states = self._kept.of(membership.universe_id)
        user_id = membership.connection.session.identity.user_id if states else ""
        return handed(user_id, states[user_id]) if user_id in states else None

    def take_over(self, universe_id: str, shown: HandedState) -> None:
        """Know what another gateway knew of a client that goes on here."""
        self._take(universe_id, shown.user_id, stated(shown))

    # Questions, and what was missed.

    def answer(self, body: bytes) -> bytes:
        """The answer to a question of another gateway, in parts if it is about much."""
        asked = PresenceAsked.model_validate_json(body)
        states: dict[str, tuple[HandedState, ...]] = {}
        rest: list[str] = []
        size_bytes = 0
        for universe_id, since in asked.since.items():
            if size_bytes > ANSWER_BYTES:
                rest.append(universe_id)
                continue
            known = self._kept.of(universe_id)
            told = {user: each for user, each in known.items() if each.at >= since}
            size_bytes += sum(each.size_bytes for each in told.values())
            states[universe_id] = tuple(handed(user, each) for user, each in told.items())
        return PresenceTold(states=states, rest=tuple(rest)).to_json()

    def ask_again(self) -> None:
        """Messages may have been missed: ask all gateways for what was said since."""
        newest = {universe_id: self._kept.newest(universe_id) for universe_id in self._located}
        since = {universe_id: _before(at) if at else "" for universe_id, at in newest.items()}
        self._questions.ask(None, since, self._show)

    def catch_up(self) -> None:
        """The bus was away: ask what was missed, and say again what others may have missed."""
        self.ask_again()
        self._questions.announce(
            {universe_id: self._own(universe_id) for universe_id in self._located}
        )

    def _own(self, universe_id: str) -> list[HandedState]:
        """What this gateway's members show in a room."""
        states = self._kept.of(universe_id)
        members = self._memberships.present(universe_id) if states else ()
        users = {one.connection.session.identity.user_id for one in members}
        return [handed(user, states[user]) for user in users if user in states]

    def _show(self, told: PresenceTold) -> None:
        """Take what another gateway knows: news are shown to those who are here."""
        for universe_id, states in told.states.items():
            if universe_id not in self._located:
                continue
            news = [
                said
                for each in states
                if self._take(universe_id, each.user_id, said := stated(each))
            ]
            if news:
                broadcast(frames_of(universe_id, news), self._greeted(universe_id))

    def _take(
        self, universe_id: str, user_id: str, said: Stated, *, is_heard: bool = False
    ) -> bool:
        turned_away = self._kept.turned_away
        is_kept = self._kept.take(universe_id, user_id, said, is_heard=is_heard)
        self._turned_away.inc(self._kept.turned_away - turned_away)
        return is_kept

    def _greeted(self, universe_id: str) -> list[Membership]:
        """The members who have been shown the room."""
        room = self._memberships.room(universe_id)
        if room is None:
            return []
        return room.greeted()


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _before(at: str) -> str:
    """A time before which nothing can be that was said after ``at``, as clocks differ.

    What has the form of a time and is none comes after everything, which is asked for.
    """
    try:
        return timestamp(datetime.fromisoformat(at) - timedelta(seconds=MARGIN_S))
    except (ValueError, OverflowError):
        return ""
