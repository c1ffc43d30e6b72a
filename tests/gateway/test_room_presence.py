"""States of participants in rooms: who is asked for them, and who is shown them."""

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import pytest

from gateway.drivers import KEPT_S, NOW, Background, Neighbourhood, Spoken, live_layer
from gateway.test_presence import LATER, LONG_AGO, said
from harmonic_gateway.delivery.presence import Stated, handed
from harmonic_gateway.delivery.signals import pack
from harmonic_gateway.membership.membership import Membership
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.state_questions import ANNOUNCED, ASKED_AT_ONCE, ATTEMPTS
from harmonic_gateway.sockets import Frame
from harmonic_protocol import subjects
from harmonic_protocol.handed import PresenceAsked, PresenceTold
from harmonic_protocol.internal import SIGNAL_EVENT
from harmonic_protocol.messages.presence import UpdatePresence
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.wire import Message
from harness.virtual_time import run


class Gateway:
    """The presence of one gateway, with members of whom nobody else knows."""

    def __init__(self, bus: Bus, universe: str, *others: str) -> None:
        self.bus, self.universe = bus, universe
        self.memberships, self.tasks = Memberships(), Background()
        self.neighbours = Neighbourhood(*others)
        self.live = live_layer(self.memberships, bus, self.tasks, gateways=self.neighbours)
        self.presence = self.live.presence

    def enters(self, user: str) -> Spoken:
        """A member, of whom the owner has said where the others are."""
        client = Spoken(user)
        membership = self.memberships.enter(client.as_connection, self.universe)
        self.memberships.ask(membership)
        self.memberships.answered(membership, 1, "edit")
        self.memberships.admit(membership)
        return client

    def of(self, client: Spoken) -> Membership:
        found = self.memberships.find(client.as_connection.id, self.universe)
        assert found is not None
        return found

    def located(self, *gateways: str, users: Iterable[str] = (), at: str = NOW) -> None:
        self.presence.located(self.universe, gateways, [*users], at)

    def hears(self, user: str, x: int, *, sender: str = "far", at: str = NOW) -> None:
        state = {"universeId": self.universe, "state": {"x": x}}
        request = UpdatePresence.model_validate(state)
        payload, headers = pack(request, user_id=user, sender=sender, timestamp=at)
        self.live.hear(self.universe, Message("s", payload, headers, ""))

    def told(self, *states: Stated, user: str = "ann") -> bytes:
        said = tuple(handed(user, each) for each in states)
        return PresenceTold(states={self.universe: said}).to_json()

    @property
    def states(self) -> dict[str, Any]:
        asked = PresenceAsked(since={self.universe: ""})
        told = PresenceTold.model_validate_json(self.presence.answer(asked.to_json()))
        return {each.user_id: each.state for each in told.states[self.universe]}


@pytest.fixture
def gateway(bus: Bus, word: str) -> Gateway:
    return Gateway(bus, word, "g1", "g2", "g3")


async def test_few_gateways_are_asked_at_the_same_time(bus: Bus, word: str) -> None:
    gateway = Gateway(bus, word, *(f"g{number}" for number in range(2, 5 * ASKED_AT_ONCE)))
    gateway.enters("bob")
    gateway.located("g1")
    gateway.presence.ask_again()
    await gateway.tasks.done()
    assert len(gateway.neighbours.asked) == 5 * ASKED_AT_ONCE - 2
    assert gateway.neighbours.most_at_once == ASKED_AT_ONCE


async def test_the_gateways_in_the_roster_are_asked_once(gateway: Gateway) -> None:
    gateway.neighbours.answers["g2"] = [gateway.told(said())]
    bob = gateway.enters("bob")
    gateway.located("g1", "g2")
    gateway.located("g1", "g2")
    await gateway.tasks.done()
    assert gateway.neighbours.asked == [("g2", {gateway.universe: ""})]
    assert len(bob.written) == 1
    assert gateway.states == {"ann": {"x": 0}}


async def test_an_owner_of_the_version_before_names_none_and_all_are_asked(
    gateway: Gateway,
) -> None:
    gateway.presence.located(gateway.universe, None, [], NOW)
    await gateway.tasks.done()
    assert [asked for asked, _ in gateway.neighbours.asked] == ["g2", "g3"]


async def test_a_room_that_was_left_is_asked_for_anew(gateway: Gateway) -> None:
    gateway.located("g2")
    gateway.presence.leave(gateway.universe)
    gateway.located("g2")
    await gateway.tasks.done()
    assert len(gateway.neighbours.asked) == 2


@pytest.mark.parametrize("is_alive", [True, False])
async def test_a_gateway_is_asked_again_while_it_lives(gateway: Gateway, *, is_alive: bool) -> None:
    gateway.neighbours.answers["g2"] = [BusUnavailable("no answer")] * (ATTEMPTS - 1)
    if not is_alive:
        gateway.neighbours.names.remove("g2")
    gateway.located("g2")
    await gateway.tasks.done()
    assert len(gateway.neighbours.asked) == (ATTEMPTS if is_alive else 1)


async def test_a_gateway_of_another_version_has_nothing_to_tell(gateway: Gateway) -> None:
    gateway.neighbours.answers["g2"] = [b""]
    gateway.located("g2")
    await gateway.tasks.done()
    assert len(gateway.neighbours.asked) == 1


async def test_the_rest_of_a_long_answer_is_asked_for(gateway: Gateway) -> None:
    part = PresenceTold(states={}, rest=(gateway.universe,)).to_json()
    gateway.neighbours.answers["g2"] = [part, gateway.told(said())]
    gateway.located("g2")
    await gateway.tasks.done()
    assert gateway.states == {"ann": {"x": 0}}


async def test_who_enters_is_shown_what_is_known(gateway: Gateway) -> None:
    ann = gateway.enters("ann")
    gateway.hears("bob", 1)
    assert ann.heard == []
    gateway.presence.admitted(gateway.of(ann))
    assert ann.heard == ["presence_states"]


async def test_what_is_announced_is_shown_if_it_is_news(gateway: Gateway) -> None:
    ann = gateway.enters("ann")
    gateway.hears("bob", 1)
    for states in ([said(NOW, "far")], [said(LATER, x=2)], [said(LATER, x=2)]):
        payload = gateway.told(*states, user="bob")
        gateway.live.hear(gateway.universe, Message("s", payload, {SIGNAL_EVENT: ANNOUNCED}, ""))
    assert ann.heard == []
    assert len(ann.written) == 1 + 1
    assert gateway.states == {"bob": {"x": 2}}


async def test_a_gateway_announces_what_its_own_members_show(gateway: Gateway) -> None:
    announced: list[Message] = []
    await gateway.bus.subscribe(subjects.signal(gateway.universe), announced.append)
    gateway.enters("ann")
    gateway.located("g1")
    gateway.hears("ann", 1)
    gateway.hears("far", 2)
    gateway.presence.catch_up()
    await gateway.tasks.done()
    await gateway.bus.flush()
    await gateway.bus.handled()
    (message,) = announced
    assert message.headers[SIGNAL_EVENT] == ANNOUNCED
    told = PresenceTold.model_validate_json(message.payload).states[gateway.universe]
    assert [each.user_id for each in told] == ["ann"]


async def test_after_a_gap_all_are_asked_for_what_was_said_since(gateway: Gateway) -> None:
    gateway.located("g1")
    gateway.hears("ann", 1)
    gateway.presence.ask_again()
    await gateway.tasks.done()
    since = {gateway.universe: "2024-03-21T10:29:30.000Z"}
    assert gateway.neighbours.asked == [("g2", since), ("g3", since)]


@pytest.mark.parametrize("at", ["2026-13-45T10:30:00.000Z", "0001-01-01T00:00:00.000Z"])
async def test_a_time_that_is_none_keeps_nobody_from_being_asked(gateway: Gateway, at: str) -> None:
    gateway.located("g1")
    gateway.hears("ann", 1, at=at)
    gateway.presence.catch_up()
    await gateway.tasks.done()
    since = {gateway.universe: ""}
    assert gateway.neighbours.asked == [("g2", since), ("g3", since)]


async def test_an_answer_holds_what_was_said_since(gateway: Gateway) -> None:
    gateway.hears("ann", 1, at=LONG_AGO)
    gateway.hears("bob", 2)
    asked = PresenceAsked(since={gateway.universe: NOW, "another": ""})
    told = PresenceTold.model_validate_json(gateway.presence.answer(asked.to_json()))
    assert [each.user_id for each in told.states[gateway.universe]] == ["bob"]
    assert told.states["another"] == ()


async def test_who_left_shows_nothing_any_more(gateway: Gateway) -> None:
    gateway.hears("ann", 1)
    left = Frame.event("participant_left", b'{"userId":"ann"}')
    gateway.live.stored(gateway.universe, [Frame.event("physics_updated", b"{}"), left])
    assert gateway.states == {}


async def test_a_room_that_is_left_is_forgotten_but_for_those_who_may_return(
    gateway: Gateway,
) -> None:
    ann = gateway.enters("ann")
    gateway.located("g1")
    gateway.hears("ann", 1)
    gateway.hears("bob", 2)
    gateway.presence.departed(gateway.of(ann))
    gateway.presence.leave(gateway.universe)
    assert gateway.states == {"ann": {"x": 1}}


def test_whoever_may_return_has_its_time_though_a_room_is_entered_and_left_meanwhile() -> None:
    async def test() -> None:
        gateway = Gateway(cast("Any", None), "u", "g1")

        def breaks(user: str) -> None:
            client = gateway.enters(user)
            gateway.located("g1")
            gateway.hears(user, 1)
            gateway.presence.departed(gateway.of(client))
            gateway.memberships.forget(client.as_connection)
            gateway.presence.leave("u")

        breaks("ann")
        await asyncio.sleep(KEPT_S - 2)
        breaks("bob")
        assert gateway.states.keys() == {"ann", "bob"}
        await asyncio.sleep(3)
        assert gateway.states.keys() == {"bob"}
        await asyncio.sleep(KEPT_S - 4)
        assert gateway.states.keys() == {"bob"}
        await asyncio.sleep(2)
        assert gateway.states == {}

    run(test())


def test_a_room_that_is_entered_again_keeps_what_its_members_show() -> None:
    async def test() -> None:
        gateway = Gateway(cast("Any", None), "u", "g1")
        ann = gateway.enters("ann")
        gateway.located("g1")
        gateway.hears("ann", 1)
        gateway.presence.departed(gateway.of(ann))
        gateway.presence.leave("u")
        gateway.located("g1")
        await asyncio.sleep(2 * KEPT_S)
        assert gateway.states.keys() == {"ann"}
        gateway.presence.leave("u")
        assert gateway.states == {}

    run(test())


async def test_a_client_takes_what_its_user_shows_along(bus: Bus, word: str) -> None:
    old, new = Gateway(bus, word), Gateway(bus, word)
    ann, bob = old.enters("ann"), old.enters("bob")
    old.hears("ann", 1)
    assert old.presence.hand_over(old.of(bob)) is None
    shown = old.presence.hand_over(old.of(ann))
    assert shown is not None
    new.presence.take_over(word, shown)
    assert new.states == {"ann": {"x": 1}}


async def test_those_of_whom_nothing_is_shown_have_nothing_to_take_along(
    gateway: Gateway,
) -> None:
    assert gateway.presence.hand_over(gateway.of(gateway.enters("ann"))) is None
