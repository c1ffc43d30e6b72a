"""Previews: who is sent them, and that none follows the update that it was about."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.drivers import Spoken
from harmonic_gateway.delivery import signals
from harmonic_gateway.delivery.previews import is_settled
from harmonic_gateway.delivery.signals import SENDER, Signals, left_out, pack, unpack
from harmonic_gateway.membership.live import relay_to
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.sockets import Frame
from harmonic_protocol.internal import SIGNAL_EVENT
from harmonic_protocol.messages.audio import AudioAnalysis
from harmonic_protocol.messages.previews import ParametersPreviewed, PreviewParameters
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.metrics import Metrics

UNIVERSE = "8a7b0f6e-6f7f-4b0c-9c39-0c6d1a3a1c11"
PREVIEWED = ParametersPreviewed.spec.name
#: More than a room's budget of a moment.
BYTES_PER_S = 100


def preview(sender: str = "c1", user: str = "ann", **sets: Any) -> Message:
    request = PreviewParameters.model_validate({"universeId": UNIVERSE, **sets})
    payload, headers = pack(request, user_id=user, sender=sender, timestamp="now")
    return Message("subject", payload, headers, "")


def updated(user: str = "ann", name: str = "physics", *changed: str) -> Frame:
    data = {"universeId": UNIVERSE, "userId": user, "changed": changed, "parameters": {}}
    return Frame.event(f"{name}_updated", json.dumps(data).encode())


def test_a_preview_shows_what_was_sent_of_it_and_nothing_else() -> None:
    frame = unpack(preview(physics={"gravity": 3}, music={"key": "D"}))

    assert frame is not None
    assert frame.droppable
    assert json.loads(frame.data) == {
        "universeId": UNIVERSE,
        "physics": {"gravity": 3},
        "music": {"key": "D"},
        "userId": "ann",
        "timestamp": "now",
    }


def test_a_preview_of_nothing_says_that_it_is_over() -> None:
    frame = unpack(preview())

    assert frame is not None
    assert json.loads(frame.data).keys() == {"universeId", "userId", "timestamp"}


def test_a_preview_is_for_the_others_and_audio_for_all() -> None:
    analysis = {"frequencies": [], "waveform": [], "timestamp": "2024-03-21T10:30:00Z"}
    audio = AudioAnalysis.model_validate({"universeId": UNIVERSE, "analysis": analysis})
    payload, headers = pack(audio, user_id="ann", sender="c1", timestamp="now")

    assert left_out(preview(sender="c1")) == "c1"
    assert left_out(Message("subject", payload, headers, "")) is None
    assert (
        left_out(Message("subject", b"", {SIGNAL_EVENT: "of a newer version", SENDER: "c1"}, ""))
        is None
    )


class Room:
    """A room whose budget is spent: further previews wait."""

    def __init__(self, bytes_per_s: int = BYTES_PER_S) -> None:
        self.heard: list[dict[str, Any]] = []
        self.news = asyncio.Event()
        self.signals = Signals(self._hear, bytes_per_s=bytes_per_s, metrics=Metrics())
        self.signals.take(UNIVERSE, preview("first", "first", physics={"gravity": 1}))
        self.heard.clear()

    def _hear(self, _: str, messages: Sequence[Message]) -> None:
        self.heard += [json.loads(message.payload) for message in messages]
        self.news.set()


@pytest.mark.parametrize(
    ("sent", "stored", "is_settled"),
    [
        ({"physics": {"gravity": 2}}, updated("ann", "physics", "gravity", "friction"), True),
        ({"physics": {"gravity": 2}}, updated("ann", "physics", "friction"), False),
        ({"physics": {"gravity": 2}}, updated("bob", "physics", "gravity"), False),
        ({"physics": {"gravity": 2}}, updated("ann", "music", "gravity"), False),
        ({"physics": {"gravity": 2}}, Frame.event("participant_left", b'{"userId":"ann"}'), True),
        ({"physics": {"gravity": 2}}, Frame.event("participant_left", b'{"userId":"bob"}'), False),
        ({"physics": {"gravity": 2}}, Frame.event("music_generated", b"{}"), False),
        (
            {"physics": {"gravity": 2}, "music": {"tempo": 90}},
            updated("ann", "physics", "gravity"),
            False,
        ),
    ],
)
async def test_a_preview_that_waits_is_not_sent_after_its_update(
    sent: dict[str, Any], stored: Frame, *, is_settled: bool
) -> None:
    room = Room()
    room.signals.take(UNIVERSE, preview(**sent))
    room.signals.take(UNIVERSE, preview("last", "last"))

    room.signals.stored(UNIVERSE, [stored])

    async with asyncio.timeout(20):
        while not any(each["userId"] == "last" for each in room.heard):
            room.news.clear()
            await room.news.wait()
    assert any(each["userId"] == "ann" for each in room.heard) != is_settled


@pytest.mark.parametrize("payload", [b"no JSON", b"[]", b"{}", b'{"userId":"ann","physics":7}'])
def test_a_preview_that_cannot_be_read_is_over_and_keeps_no_event_from_delivery(
    payload: bytes,
) -> None:
    assert is_settled(payload, updated("ann", "physics", "gravity"))


def test_an_update_without_previews_discards_nothing() -> None:
    async def stored() -> None:
        signals = Signals(lambda *_: None, bytes_per_s=1, metrics=Metrics())
        signals.stored(UNIVERSE, [updated()])

    asyncio.run(stored())


@pytest.mark.parametrize("is_paid_for", [False, True])
async def test_a_preview_that_waits_a_moment_for_others_is_not_sent_after_its_update(
    monkeypatch: pytest.MonkeyPatch, *, is_paid_for: bool
) -> None:
    monkeypatch.setattr(signals, "TOGETHER_S", 0.5)
    monkeypatch.setattr(signals, "BUDGET_INTERVAL_S", 0.0 if is_paid_for else 10.0)
    room = Room(bytes_per_s=1_000_000)
    for sender in ("ann", "bob"):
        room.signals.take(UNIVERSE, preview(sender, sender, physics={"gravity": 2}))
    for _ in range(3):
        # The budget looks at what it owes meanwhile.
        await asyncio.sleep(0.001)

    room.signals.stored(UNIVERSE, [updated("ann", "physics", "gravity")])

    async with asyncio.timeout(20):
        while not room.heard:
            room.news.clear()
            await room.news.wait()
    assert [each["userId"] for each in room.heard] == ["bob"]


async def test_what_is_sent_together_reaches_each_without_its_own() -> None:
    memberships = Memberships()
    clients = {user: Spoken(user) for user in ("ann", "bob", "cem")}
    for client in clients.values():
        membership = memberships.enter(client.as_connection, UNIVERSE)
        memberships.answered(membership, 1, "edit")
        memberships.admit(membership)
    senders = [clients[user].id for user in ("ann", "ann", "bob")]
    previews = [
        preview(sender, user, physics={"gravity": number})
        for number, (sender, user) in enumerate(zip(senders, ("ann", "ann", "bob"), strict=True))
    ]

    relay_to(memberships)(UNIVERSE, previews)

    def gravities(user: str) -> list[int]:
        (written,) = clients[user].written
        return [json.loads(packet[2:])[1]["physics"]["gravity"] for packet in written.packets]

    assert {user: gravities(user) for user in clients} == {
        "ann": [2],
        "bob": [0, 1],
        "cem": [0, 1, 2],
    }
