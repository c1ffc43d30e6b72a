"""A namespace's stages: every order of what can happen to it, up to a depth."""

from dataclasses import dataclass, replace

import pytest

from harmonic_gateway.sockets.stages import TABLE, Effect, NamespaceEvent, Stage, follow

DEPTH = 8


@dataclass(frozen=True)
class World:
    """A namespace, with what its application was told and asked."""

    stage: Stage = Stage.ABSENT
    asked: int = 0
    told_connected: bool = False
    client_went: bool = False

    def after(self, event: NamespaceEvent) -> "World | None":
        """The world after an event; ``None`` where it cannot happen, or closes the session."""
        if event in {NamespaceEvent.ACCEPTED, NamespaceEvent.REFUSED} and not self.asked:
            return None
        stage, effect = follow(self.stage, event)
        check(self, event, effect)
        if effect is Effect.MALFORMED:
            return None
        decided = event in {NamespaceEvent.ACCEPTED, NamespaceEvent.REFUSED}
        moves = event is NamespaceEvent.MOVED and self.stage is Stage.MOVING
        went = (
            event in {NamespaceEvent.DISCONNECT, NamespaceEvent.ENDED}
            and self.stage is Stage.CONNECTING
        )
        return replace(
            self,
            stage=stage,
            asked=self.asked + (effect is Effect.ASK) - decided,
            # Of one that goes on at another gateway, that one's application hears.
            told_connected=effect is Effect.ANSWER
            or (self.told_connected and effect is not Effect.REPORT_END and not moves),
            client_went=went or (self.client_went and not decided),
        )


def check(world: World, event: NamespaceEvent, effect: Effect) -> None:
    assert world.asked <= 1
    match effect:
        case Effect.ASK:
            assert world.asked == 0
            assert not world.told_connected
        case Effect.ANSWER:
            assert event is NamespaceEvent.ACCEPTED
            assert not world.client_went
        case Effect.ABANDON:
            assert event is NamespaceEvent.ACCEPTED
            assert world.client_went
        case Effect.REFUSE:
            assert event is NamespaceEvent.REFUSED
            assert not world.client_went
        case Effect.RECEIVE | Effect.REPORT_END:
            assert world.told_connected
        case Effect.MALFORMED:
            assert event in PACKETS
        case Effect.NOTHING:
            # Nobody is accepted, or goes, without a word to the application.
            assert event is not NamespaceEvent.ACCEPTED
            assert not (
                world.told_connected and event in {NamespaceEvent.DISCONNECT, NamespaceEvent.ENDED}
            )
            # A second CONNECT is never passed over.
            assert event is not NamespaceEvent.CONNECT


def test_every_order_of_packets_decisions_and_ends() -> None:
    seen: set[World] = set()
    pairs: set[tuple[Stage, NamespaceEvent]] = set()
    explored: set[tuple[World, int]] = set()
    orders = 0

    def explore(world: World, depth: int) -> None:
        nonlocal orders
        seen.add(world)
        if depth == 0 or (world, depth) in explored:
            return
        explored.add((world, depth))
        for event in NamespaceEvent:
            if event in {NamespaceEvent.ACCEPTED, NamespaceEvent.REFUSED} and not world.asked:
                continue
            pairs.add((world.stage, event))
            orders += 1
            after = world.after(event)
            if after is not None:
                explore(after, depth - 1)

    explore(World(), DEPTH)
    assert {world.stage for world in seen} == set(Stage)
    # Decisions come only while one is under way.
    undecided = {
        (stage, event)
        for stage in (Stage.ABSENT, Stage.CONNECTED, Stage.MOVING)
        for event in (NamespaceEvent.ACCEPTED, NamespaceEvent.REFUSED)
    }
    assert pairs == {(stage, event) for stage in Stage for event in NamespaceEvent} - undecided
    assert orders > 100


@pytest.mark.parametrize("stage", [Stage.ABSENT, Stage.CONNECTED, Stage.MOVING])
def test_a_decision_that_nobody_waits_for_means_nothing(stage: Stage) -> None:
    for event in (NamespaceEvent.ACCEPTED, NamespaceEvent.REFUSED):
        assert follow(stage, event) == (stage, Effect.NOTHING)


#: What each event does, a line a stage: the stage after it where it is another, and the effect.
#: What is not listed is malformed as a packet, and else means nothing.
EXPECTED = {
    Stage.ABSENT: "CONNECT CONNECTING ASK",
    Stage.CONNECTING: """
        DISCONNECT ABANDONED NOTHING, ENDED ABANDONED NOTHING, ACCEPTED CONNECTED ANSWER,
        REFUSED ABSENT REFUSE
    """,
    Stage.ABANDONED: "ACCEPTED ABSENT ABANDON, REFUSED ABSENT NOTHING",
    Stage.CONNECTED: """
        DISCONNECT ABSENT REPORT_END, EVENT RECEIVE, ACK NOTHING, ENDED ABSENT REPORT_END,
        HANDED_OVER MOVING NOTHING
    """,
    Stage.MOVING: "ENDED ABSENT REPORT_END, MOVED ABSENT NOTHING",
}
PACKETS = {
    NamespaceEvent.CONNECT,
    NamespaceEvent.DISCONNECT,
    NamespaceEvent.EVENT,
    NamespaceEvent.ACK,
}


def expected(stage: Stage) -> dict[NamespaceEvent, tuple[Stage, Effect]]:
    row = {
        event: (stage, Effect.MALFORMED if event in PACKETS else Effect.NOTHING)
        for event in NamespaceEvent
    }
    for entry in EXPECTED[stage].split(","):
        name, *to, effect = entry.split()
        row[NamespaceEvent[name]] = (Stage[to[0]] if to else stage, Effect[effect])
    return row


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("event", NamespaceEvent)
def test_every_event_does_at_every_stage_what_is_decided(
    stage: Stage, event: NamespaceEvent
) -> None:
    assert tuple(follow(stage, event)) == expected(stage)[event]


def test_each_effect_is_that_of_some_event() -> None:
    assert {then.effect for row in TABLE.values() for then in row.values()} == set(Effect)
