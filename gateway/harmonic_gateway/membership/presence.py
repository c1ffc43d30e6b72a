"""What participants show of themselves in the rooms here: heard, asked of other gateways, told.

Each gateway keeps the states of the rooms that it has members in. It hears them as everybody does;
what was said before it listened, it asks of the gateways that the room's members are at. After
anything that may have swallowed messages, it asks again, and announces what its own members show.
What is news by then is shown to those who are there.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from pydantic import ValidationError

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
from harmonic_gateway.delivery.signals import ATTACHMENT_BYTES, EVENT, SENDER
from harmonic_gateway.membership.membership import Membership, Presence
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.sockets import Frame, broadcast
from harmonic_protocol import subjects
from harmonic_protocol.handed import HandedState, PresenceAsked, PresenceTold
from harmonic_protocol.messages.presence import PresenceUpdated
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import timestamp
from harmonic_runtime.process.lifecycle import Tasks

#: The event that an announcement is: for gateways, and passed over by those that do not know it.
ANNOUNCED = "presence_announced"
#: Universes in one question, and bytes of states in one answer; a room's are never parted.
UNIVERSES_PER_QUESTION = 200
ANSWER_BYTES = 2 * 1024 * 1024
#: States in one announcement.
STATES_PER_ANNOUNCEMENT = 50
#: How often a gateway that is alive is asked, and how long apart.
ATTEMPTS, PAUSE_S = 5, 0.4
#: Announcements in a row, and the pause after them.
ANNOUNCED_AT_ONCE, ANNOUNCING_PAUSE_S = 50, 0.02
#: Clocks differ, and messages take their time: by less than this.
MARGIN_S = 30.0

#: Asks a gateway, by its id; raises ``BusUnavailable`` without an answer.
AskGateway: TypeAlias = Callable[[str, bytes], Coroutine[Any, Any, bytes]]


class RoomPresence:
    """The states of participants, and who is to be shown them."""

    def __init__(
        self,
        *,
        memberships: Memberships,
        bus: Bus,
        gateways: Directory,
        gateway_id: str,
        ask: AskGateway,
        tasks: Tasks,
        kept_s: float,
        metrics: Metrics,
    ) -> None:
        self._memberships = memberships
        self._bus = bus
        self._gateways = gateways
        self._gateway_id = gateway_id
        self._ask_gateway = ask
        self._tasks = tasks
        #: For how long a connection that broke may still be continued elsewhere.
        self._kept_s = kept_s
        self._kept = KeptStates()
        self._located: set[str] = set()
        #: Until when the states of users whose connections broke are kept in a room that is left.
        self._departing: dict[str, dict[str, float]] = {}
        metrics.gauge_from(table.PRESENCE_STATES, lambda: self._kept.number)
        metrics.gauge_from(table.PRESENCE_BYTES, lambda: self._kept.size_bytes)
        self._turned_away = metrics.counter(table.PRESENCE_TURNED_AWAY)
        self._questions = metrics.counters(table.PRESENCE_QUESTIONS)

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
        self, universe_id: str, gateways: Collection[str] | None, users: Collection[str], at: str
    ) -> None:
        """The owner has told who is in a room, and at which gateways: they are asked, once.

        A replica of the version before does not name them: then all are.
        """
        if self._kept.of(universe_id):
            self._kept.prune(universe_id, users, _before(at))
        if universe_id in self._located:
            return
        self._located.add(universe_id)
        named = self._gateways.live() if gateways is None else gateways
        for gateway_id in sorted({*named} - {self._gateway_id}):
            self._start_asking(gateway_id, {universe_id: ""})

    def admitted(self, membership: Membership) -> None:
        """A connection was shown a room, or may have missed something of it."""
        frames = self._kept.frames(membership.universe_id)
        if frames and membership.stage is Presence.PRESENT:
            membership.connection.send_all(frames, membership.elsewhere)

    def departed(self, membership: Membership) -> None:
        """A connection broke, and its client may go on at another gateway, which will ask."""
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
        departing, now_s = self._departing.pop(universe_id, {}), _now_s()
        users = [user for user, until_s in departing.items() if until_s > now_s]
        self._kept.retain(universe_id, users)
        if users:
            asyncio.get_running_loop().call_later(self._kept_s, self._expire, universe_id)

    def _expire(self, universe_id: str) -> None:
        if universe_id not in self._located:
            self._kept.retain(universe_id, ())

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
        since = {universe_id: self._newest(universe_id) for universe_id in self._located}
        names = list(since)
        for gateway_id in sorted(self._gateways.live() - {self._gateway_id}):
            for start in range(0, len(names), UNIVERSES_PER_QUESTION):
                part = names[start : start + UNIVERSES_PER_QUESTION]
                self._start_asking(gateway_id, {name: since[name] for name in part})

    def catch_up(self) -> None:
        """The bus was away: ask what was missed, and say again what others may have missed."""
        self.ask_again()
        self._tasks.start(self._announce(), name="announce presence")

    async def _announce(self) -> None:
        number = 0
        for universe_id in list(self._located):
            for told in self._own(universe_id):
                payload = PresenceTold(states={universe_id: told}).to_json()
                headers = {EVENT: ANNOUNCED, ATTACHMENT_BYTES: f"{len(payload)}"}
                try:
                    self._bus.post(subjects.signal(universe_id), payload, headers=headers)
                except BusUnavailable:
                    # It will be back, and all is announced then.
                    return
                number += 1
                if number % ANNOUNCED_AT_ONCE == 0:
                    await asyncio.sleep(ANNOUNCING_PAUSE_S)

    def _own(self, universe_id: str) -> list[tuple[HandedState, ...]]:
        """What this gateway's members show in a room, in parts."""
        states = self._kept.of(universe_id)
        users = {
            one.connection.session.identity.user_id
            for one in (self._memberships.present(universe_id) if states else ())
        }
        told = [handed(user, states[user]) for user in users if user in states]
        size = STATES_PER_ANNOUNCEMENT
        return [tuple(told[start : start + size]) for start in range(0, len(told), size)]

    def _start_asking(self, gateway_id: str, since: dict[str, str]) -> None:
        self._tasks.start(self._ask(gateway_id, since), name="ask for presence")

    async def _ask(self, gateway_id: str, since: dict[str, str]) -> None:
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(PAUSE_S)
            try:
                while since:
                    answer = await self._ask_gateway(
                        gateway_id, PresenceAsked(since=since).to_json()
                    )
                    told = PresenceTold.model_validate_json(answer)
                    self._show(told)
                    since = {name: since[name] for name in told.rest if name in since}
            except BusUnavailable:
                if gateway_id not in self._gateways.live():
                    break
            except ValidationError:
                # A gateway of another version has nothing to tell.
                break
            else:
                self._questions.of("answered").inc()
                return
        self._questions.of("failed").inc()

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
        return [one for one in room.present.values() if not room.awaits(one)]

    def _newest(self, universe_id: str) -> str:
        states = self._kept.of(universe_id).values()
        newest = max((each.at for each in states), default="")
        return _before(newest) if newest else ""


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _before(at: str) -> str:
    """A time before which nothing can be that was said after ``at``, as clocks differ."""
    return timestamp(datetime.fromisoformat(at) - timedelta(seconds=MARGIN_S))
