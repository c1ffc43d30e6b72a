"""Answers of the broker that a service which was taken over has sent where it may not write."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from harmonic_local.stack import Stack
from harmonic_protocol import subjects
from harmonic_protocol.pieces import MusicJob
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.reading import EXPECTED_SEQUENCE
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.bus.wire import STORED_SEQUENCE, STORED_SUBJECT
from harness.broker import connected_as
from harness.client import PATIENCE_S
from harness.faults import down
from harness.waiting import until
from harness.world import World, started
from integration.test_damage import joined_anew, surely

SECRET = "forged by a service that was taken over"


@pytest.fixture(scope="module")
async def attacked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    folder = tmp_path_factory.mktemp("attacked")
    async with started(folder, HARMONIC_SNAPSHOT_EVERY_RECORDS="500") as running:
        yield running


class Attacker:
    """What somebody can do with the credentials of a gateway."""

    def __init__(self, bus: Bus, universe: str) -> None:
        self.bus, self.universe = bus, universe
        self._number = 0

    async def keeps(self, payload: bytes, block: bytes | None) -> str:
        """Store a message of any content where gateways keep sessions; its subject."""
        self._number += 1
        subject = f"hu.session.attacker.{self.universe}-{self._number}"
        inbox = self.bus.new_inbox()
        stored = asyncio.Event()
        subscription = await self.bus.subscribe(inbox, lambda _message: stored.set())
        size = len(payload)
        if block is None:
            line = b"PUB %b %b %d\r\n" % (subject.encode(), inbox.encode(), size)
        else:
            sizes = b"%d %d" % (len(block), len(block) + size)
            line = b"HPUB %b %b %b\r\n" % (subject.encode(), inbox.encode(), sizes) + block
        self.bus.connection.send(line + payload + b"\r\n")
        await stored.wait()
        await subscription.close()
        return subject

    async def has_sent(self, kept: str, to: str, *, batch: bool = False) -> None:
        """Have the broker send what is kept to a subject."""
        request = {"multi_last": [kept]} if batch else {"last_by_subj": kept}
        direct = f"$JS.API.DIRECT.GET.{subjects.SESSIONS_STREAM}"
        await self.bus.publish(direct, json.dumps(request).encode(), reply=to)
        await self.bus.flush()


def update(universe: str, seq: int) -> bytes:
    """A record as an owner would write it."""
    event = {
        "name": "physics_updated",
        "data": {
            "universeId": universe,
            "userId": SECRET,
            "timestamp": "2124-03-21T10:30:00.000Z",
            "parameters": {"gravity": 13},
            "changed": ["gravity"],
            "seq": seq,
        },
    }
    record = {"id": "forged.1", "at": "2124-03-21T10:30:00.000Z", "events": [event]}
    return json.dumps(record).encode()


def block(headers: Mapping[str, str], *, status: str = "", end: str = "\r\n\r\n") -> bytes:
    lines = [f"NATS/1.0{status}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + end).encode()


async def log_end(stack: Stack, universe: str) -> int:
    async with connected_as("admin", stack) as bus:
        stored = await Streams(bus).last(subjects.log_stream_of(universe), subjects.log(universe))
    assert stored is not None
    return stored.sequence


FORGERIES: Mapping[str, Any] = {
    "no headers": lambda _: None,
    "headers like an owner's": lambda at: block({EXPECTED_SEQUENCE: str(at)}),
    "headers like a republished record's": lambda at: block(
        {EXPECTED_SEQUENCE: str(at), STORED_SUBJECT: "hu.log.1.x", STORED_SEQUENCE: "1"}
    ),
    "a last line that takes the broker's first with it": lambda at: block(
        {EXPECTED_SEQUENCE: str(at), "A": "b"}, end="cd"
    ),
    "an end of headers before the end": lambda at: block(
        {EXPECTED_SEQUENCE: str(at)}, end="\r\n\r\n\r\n"
    ),
    "a status that ends a batch": lambda _: block({"A": "b"}, status=" 204 EOB"),
    "a status that says nobody is there": lambda _: block({}, status=" 503"),
}


@pytest.mark.parametrize("batch", [False, True], ids=["one", "batch"])
@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
async def test_what_the_broker_is_made_to_write_into_a_log_counts_for_nothing(
    target: World, forgery: Any, *, batch: bool
) -> None:
    universe, (ann, bob) = await target.together("ann", "bob")
    seq = await surely(ann, universe, 3)
    end = await log_end(target.stack, universe)
    async with connected_as("gateway", target.stack) as bus:
        attacker = Attacker(bus, universe)
        payload = b"" if "503" in str(forgery(end)) else update(universe, seq + 1)
        kept = await attacker.keeps(payload, forgery(end))
        await attacker.has_sent(kept, subjects.log(universe), batch=batch)
        if await log_end(target.stack, universe) == end:
            # Its own expectation is not met in this log: the broker has refused it.
            assert b"Expected" in forgery(end)
    after = await surely(ann, universe, 4)
    assert after == seq + 1
    assert (await bob.hears_up_to(after))["parameters"]["gravity"] == 4
    # Nor does it count for an owner that reads it, and its log goes on.
    async with down(*target.stack.states):
        pass
    late = await joined_anew(target, "late", universe, gateway=1)
    last = await surely(late, universe, 5)
    assert last == after + 2
    await bob.hears_up_to(last)
    assert SECRET not in str([*ann.heard, *bob.heard, *late.heard])


async def test_what_is_sent_to_members_past_the_log_reaches_nobody(target: World) -> None:
    universe, (ann, bob) = await target.together("ann", "bob")
    seq = await surely(ann, universe, 3)
    end = await log_end(target.stack, universe)
    async with connected_as("gateway", target.stack) as bus:
        attacker = Attacker(bus, universe)
        headers = {
            EXPECTED_SEQUENCE: str(end),
            "Nats-Last-Sequence": str(end),
            STORED_SUBJECT: subjects.log(universe),
            STORED_SEQUENCE: str(end + 1),
        }
        kept = await attacker.keeps(update(universe, seq + 1), block(headers))
        await attacker.has_sent(kept, subjects.live(universe))
    after = await surely(ann, universe, 4)
    assert (await bob.hears_up_to(after))["parameters"]["gravity"] == 4
    assert SECRET not in str([*ann.heard, *bob.heard])
    await target.logged("record_foreign")


@pytest.mark.parametrize("subject", [subjects.HEADS, "hu.revoked.user.x", "hu.alive.state"])
async def test_an_answer_that_is_sent_where_services_listen_is_no_word_to_them(
    target: World, subject: str
) -> None:
    universe, (ann,) = await target.together("ann")
    if "revoked" in subject:
        subject = subjects.revoked_user("ann")
    async with connected_as("gateway", target.stack) as bus:
        attacker = Attacker(bus, universe)
        said = {"heads": {universe: 10**9}, "at": 10**12}
        kept = await attacker.keeps(json.dumps(said).encode(), None)
        await attacker.has_sent(kept, subject)
    await target.logged("bus_answer_misdirected")
    assert await surely(ann, universe, 4)
    if "revoked" in subject:
        # It is stored, too, and read by a gateway that starts.
        async with down(*target.stack.gateways):
            pass
        line = json.loads(await target.logged("revocation_foreign"))
        assert line["subject"] == subject
        again = await target.client("ann")
        await again.hears("connect_success")


async def test_a_forged_snapshot_is_none(target: World) -> None:
    universe, (ann,) = await target.together("ann")
    await surely(ann, universe, 4)
    async with connected_as("gateway", target.stack) as bus:
        attacker = Attacker(bus, universe)
        kept = await attacker.keeps(b'{"position": 1, "universe": {}}', None)
        await attacker.has_sent(kept, subjects.snapshot(universe))
    async with down(*target.stack.states):
        pass
    late = await joined_anew(target, "late", universe)
    assert await surely(late, universe, 5)
    line = json.loads(await target.logged(f'"subject":"{subjects.snapshot(universe)}"'))
    assert (line["event"], line["reason"]) == ("stored_message_skipped", "foreign")


async def test_a_log_that_begins_with_what_is_none_is_a_universe_that_never_was(
    target: World,
) -> None:
    universe = target.name("unborn")
    async with connected_as("gateway", target.stack) as bus:
        attacker = Attacker(bus, universe)
        kept = await attacker.keeps(update(universe, 1), None)
        await attacker.has_sent(kept, subjects.log(universe))
        await log_end(target.stack, universe)
    status, _ = await target.call("GET", f"/universes/{universe}", "ann")
    assert status == 404
    assert await target.universe(id=universe) == universe
    member = await joined_anew(target, "ann", universe)
    assert await surely(member, universe, 5) == 2


async def composed(world: World) -> int:
    """How many pieces the music service has made."""
    async with world.http.get(f"{world.stack.ops_urls['music-1']}/metrics") as response:
        text = await response.text()
    counted = [line for line in text.splitlines() if 'pieces_total{outcome="composed"}' in line]
    return int(float(counted[0].split()[-1])) if counted else 0


async def test_notes_and_their_file_are_written_once(target: World) -> None:
    universe, (ann,) = await target.together("ann")
    await ann.says("generate_music", universeId=universe, duration=2)
    request = (await ann.hears("music_generated"))["requestId"]
    written = (subjects.notes(universe, request), subjects.midi(universe, request))
    async with connected_as("admin", target.stack) as admin:
        streams = Streams(admin)
        before = [await streams.last(subjects.NOTES_STREAM, each) for each in written]
        done = await composed(target)
        job = MusicJob(
            universe_id=universe,
            request_id=request,
            user_id="ann",
            duration=2,
            seed=99,
            music=MusicParameters(),
            physics=PhysicsParameters(),
            deadline_ms=10**13,
        )
        async with connected_as("state", target.stack) as state:
            await Streams(state).append(subjects.JOBS_SUBJECT, job.to_json(), timeout_s=2)

        async def is_done_again() -> bool:
            return await composed(target) > done

        await until(is_done_again, PATIENCE_S)
        assert [await streams.last(subjects.NOTES_STREAM, each) for each in written] == before
    assert None not in before
