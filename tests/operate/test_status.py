"""What `harmonic status` says of a product in which something is wrong, and that it says so."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import aiohttp
import pytest
from socketio.exceptions import ConnectionError as ConnectionRefused

import harmonic_gateway.metrics
import harmonic_gateway.sockets.metrics
import harmonic_music.metrics
import harmonic_state.metrics
from chaos.owners import owner_of, replica_id
from harmonic_local.stack import Stack
from harmonic_operator.judging import (
    NOT_AFTER,
    PROVIDER_KEYS,
    RULES,
    Overview,
    Rule,
    notes,
    problems,
)
from harmonic_operator.replicas import Replicas, entries
from harmonic_operator.streams import BrokerCopy, StreamReport
from harmonic_protocol import subjects
from harmonic_protocol.envelope import Caller, Envelope
from harmonic_protocol.messages.declaration import GLOBAL_RATES, Switch
from harmonic_protocol.messages.universes import GetUniverse
from harmonic_protocol.operating import BusyUniverse, Description, ReplicaEntry
from harmonic_runtime.bus.inspection import StoreShare
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.observability import table
from harmonic_runtime.observability.specs import declared_in
from harness.broker import connected_as
from harness.client import PATIENCE_S, Client
from harness.faults import frozen
from harness.identity_provider import Key, Publisher, okta, publishing
from harness.operator import harmonic
from harness.world import World, started

MIB = 2**20
STORE_BYTES = MIB
FAR_FUTURE_MS = 10**13
LONG_AGO = "2024-03-21T10:30:00.000Z"
TABLES: tuple[ModuleType, ...] = (
    table,
    harmonic_gateway.metrics,
    harmonic_gateway.sockets.metrics,
    harmonic_state.metrics,
    harmonic_music.metrics,
)

# The rules, without a product.


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.metric}{dict(rule.labels)}")
def test_each_rule_is_of_a_metric_that_a_service_has(rule: Rule) -> None:
    (spec,) = [each for each in declared_in(*TABLES) if each.full_name == rule.metric]
    assert rule.recent == (spec.kind == "counter")
    for name, value in rule.labels.items():
        assert value in spec.labels.values_of(name)


def described(service: str, **said: object) -> Description:
    known = {
        "service": service,
        "instance": f"{service}-1",
        "replica": "r",
        "version": "0.1.0",
        "state": "ready",
        "uptime_s": 100.0,
        "window_s": 60.0,
    }
    return Description.model_validate({**known, **said})


NOW = datetime(2024, 3, 21, 10, 30, tzinfo=UTC)
HEALTHY = Overview(
    Replicas(tuple(map(described, ("gateway", "state", "music"))), ()),
    (StreamReport("HU_LOG_0"), StreamReport("HU_NOTES", bytes=100, max_bytes=100, drops=True)),
    (StoreShare("file", "", 10),),
    at=NOW,
    renewed_until=NOW + timedelta(days=14),
)


def test_of_a_healthy_product_there_is_nothing_to_say() -> None:
    assert problems(HEALTHY) == []
    assert notes(HEALTHY) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.metric}{dict(rule.labels)}")
def test_a_rule_speaks_from_its_bound_on(rule: Rule) -> None:
    labels = ",".join(f'{name}="{value}"' for name, value in rule.labels.items())
    key = f'{rule.metric}{{a="b",{labels}}}' if labels else rule.metric

    def wrong(value: float) -> list[str]:
        samples = {key: value, f"{rule.metric}_other": 1e9}
        values = {} if rule.recent else samples
        keys = {PROVIDER_KEYS: 1.0 if rule.provider else 0.0}
        gateway = described(
            "gateway", increases=samples if rule.recent else {}, values={**values, **keys}
        )
        replicas = Replicas((gateway, *HEALTHY.replicas.described[1:]), ())
        return problems(replace(HEALTHY, replicas=replicas))

    assert wrong(rule.at_least * 0.99) == []
    (sentence,) = wrong(rule.at_least)
    assert sentence.startswith("gateway gateway-1 ")


def test_what_replicas_and_streams_say_is_judged() -> None:
    silent = ReplicaEntry(
        service="state",
        instance="state-2",
        replica="r",
        version="0.1.0",
        at=LONG_AGO,
    )
    busy = BusyUniverse(universe_id="hot", requests_per_s=500.0, connections=9)
    wrong = problems(
        replace(
            HEALTHY,
            replicas=Replicas(
                (
                    described("gateway", state="starting", waiting_for="NATS"),
                    described("state", busiest=(busy,)),
                ),
                (silent,),
            ),
            streams=(
                StreamReport("HU_LIMIT_ROOMS", "is missing", is_absent=True),
                StreamReport("HU_SNAPSHOT", bytes=90, max_bytes=100),
                StreamReport("HU_LOG_0", copies=(BrokerCopy("nats-2", False, 0),)),
            ),
            store=(StoreShare("file", "", 95, 100), StoreShare("memory", "R3", 86, 100)),
        )
    )
    assert wrong == [
        f"state state-2 does not answer: it said for the last time that it lives at {LONG_AGO}.",
        "No replica of the music service answers.",
        "The limiter's stream HU_LIMIT_ROOMS is missing.",
        "The stream HU_SNAPSHOT is 90% full.",
        "The copy of HU_LOG_0 at broker nats-2 is not current.",
        "The brokers' file store is 95% full.",
        "The brokers' memory store for R3 is 86% full.",
        "gateway gateway-1 is starting, waiting for NATS.",
        "Universe hot has 500 requests a second.",
    ]


@pytest.mark.parametrize(
    ("certificate", "days", "says"),
    [
        ("clients", 13, ["shows clients a certificate that ends on 2024-04-03 10:30 UTC."]),
        ("bus", -1, ["shows NATS a certificate that ended on 2024-03-20 10:30 UTC."]),
        (
            *("bus_authority", 0),
            ["verifies NATS with an authority whose certificate ended on 2024-03-21 10:30 UTC."],
        ),
        ("clients", 15, []),
    ],
)
def test_a_certificate_that_ends_soon_is_named(
    certificate: str, days: int, says: list[str]
) -> None:
    ends = (NOW + timedelta(days)).timestamp()
    gateway = described("gateway", values={f'{NOT_AFTER}{{certificate="{certificate}"}}': ends})
    replicas = Replicas((gateway, *HEALTHY.replicas.described[1:]), ())
    wrong = problems(replace(HEALTHY, replicas=replicas))
    assert wrong == [f"gateway gateway-1 {sentence}" for sentence in says]


def test_a_gateway_with_another_secret_than_the_others_is_named() -> None:
    gateways = [
        described("gateway", instance=name, secrets={"tokens": tokens, "sessions": "s"})
        for name, tokens in (("g-1", "a"), ("g-2", "b"), ("g-3", "a"))
    ]
    # One of the version before says nothing of its secrets.
    older = described("gateway", instance="g-4")
    replicas = Replicas((*gateways, older, *HEALTHY.replicas.described[1:]), ())

    (said,) = problems(replace(HEALTHY, replicas=replicas))
    assert said == (
        "gateway g-2: another secret of tokens than at g-1, g-3;"
        " HARMONIC_JWT_SECRET must be the same at all gateways."
    )


def test_what_an_operator_has_brought_about_is_noted_and_is_nothing_wrong() -> None:
    replicas = Replicas(
        (
            described("gateway", switched_off=(Switch.JOINS,)),
            described("state", version="0.2.0"),
            described("music"),
        ),
        (),
    )
    overview = replace(HEALTHY, replicas=replicas)
    assert problems(overview) == []
    assert notes(overview) == [
        "joins is switched off.",
        "Replicas of several versions run: 0.1.0, 0.2.0.",
    ]


# Faults, made for real.


@pytest.fixture(scope="module")
async def publisher() -> AsyncIterator[Publisher]:
    async with publishing() as found:
        yield found


@pytest.fixture(scope="module")
async def product(
    publisher: Publisher, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    publisher.publishes(okta(Key("first")))
    async with started(
        tmp_path_factory.mktemp("status"),
        gateways=1,
        states=2,
        HARMONIC_JWKS_URL=publisher.url,
        HARMONIC_SNAPSHOT_STREAM_BYTES=str(STORE_BYTES),
        HARMONIC_RING_BYTES="1024",
    ) as running:
        # Only who has said that it is there can be missed.
        async with connected_as("operator", running) as bus, asyncio.timeout(60):
            while len(await entries(bus)) < len(running.services):
                pass
        yield running


@asynccontextmanager
async def viewed(stack: Stack) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        world = World(stack, http)
        yield world
        await world.close()


async def sentences(stack: Stack) -> list[str]:
    """What is wrong, as the command says it; its exit status agrees."""
    ran = await harmonic(stack, "status", "--json")
    wrong: list[str] = ran.json["problems"]
    assert ran.status == (1 if wrong else 0)
    assert ran.errors.strip().splitlines() == wrong
    return wrong


async def names(stack: Stack, *words: str) -> str:
    """The sentence with these words, once the command says it: within 15 s."""
    wrong: list[str] = []
    async with asyncio.timeout(15):
        while True:
            wrong = await sentences(stack)
            for sentence in wrong:
                if all(word in sentence for word in words):
                    return sentence


async def is_not_named(stack: Stack, *words: str) -> None:
    assert not [each for each in await sentences(stack) if all(word in each for word in words)]


async def test_keys_that_have_expired_at_the_provider(product: Stack, publisher: Publisher) -> None:
    said = ("gateway-1 refused", "no key of the identity provider proves")
    await is_not_named(product, *said)
    expired = Key("expired")
    async with viewed(product) as world:
        for number in range(3):
            client = Client(f"user-{number}")
            with pytest.raises(ConnectionRefused):
                await client.connect(world.stack.urls[0], expired.token(f"user-{number}"))
    await names(product, *said)


async def test_a_replica_that_hangs(product: Stack) -> None:
    said = ("state state-2 does not answer",)
    await is_not_named(product, *said)
    with frozen(product.states[1]):
        await names(product, *said)
    await is_not_named(product, *said)


async def test_a_log_that_was_trimmed_below_a_client(product: Stack) -> None:
    said = ("gateway-1", "trimmed")
    await is_not_named(product, *said)
    async with viewed(product) as world, connected_as("admin", product) as bus:
        universe = await world.universe()
        ann = await world.client("ann", comes_back=True)
        ben = await world.client("ben")
        for client in (ann, ben):
            await client.joins(universe)
        await ann.vanishes()
        for gravity in range(20):
            await ben.asks("update_physics", universeId=universe, parameters={"gravity": gravity})
        stream, subject = subjects.log_stream_of(universe), subjects.log(universe)
        end = await Streams(bus).last(stream, subject)
        assert end is not None
        await Streams(bus).purge(stream, subject, up_to=end.sequence - 1)
        back = await world.client("ann", comes_back=True)
        recovered = await back.hears("state_recovered", universeId=universe)
        assert not recovered["recovered"]
        await names(product, *said)


async def test_a_universe_with_hundreds_of_requests_a_second(product: Stack) -> None:
    async with viewed(product) as world, connected_as("gateway", product) as bus:
        universe = await world.universe()
        owner = replica_id(product, owner_of(product, universe))
        request = GetUniverse.model_validate({"universeId": universe})
        await is_not_named(product, universe)

        async def keep_asking() -> None:
            """500 requests a second, as a gateway asks them; nobody waits for the answers."""
            while True:
                headers = Envelope(Caller("ann", "ann"), FAR_FUTURE_MS).to_headers()
                for _ in range(50):
                    bus.post(
                        f"hu.state.{owner}.{request.operation()}",
                        request.to_json(),
                        headers=headers,
                    )
                await asyncio.sleep(0.1)

        asking = asyncio.create_task(keep_asking())
        await names(product, f"Universe {universe} has", "requests a second")
        asking.cancel()
        await asyncio.wait([asking])


async def test_a_store_that_is_nearly_full(product: Stack) -> None:
    said = ("The stream HU_SNAPSHOT is 9",)
    await is_not_named(product, *said)
    async with connected_as("admin", product) as bus, AsyncExitStack() as undone:
        streams = Streams(bus)
        for number in range(9):
            subject = f"hu.snapshot.999.filler-{number}"
            await streams.append(subject, bytes(STORE_BYTES // 10 + 3000), timeout_s=5)
            undone.push_async_callback(streams.purge, subjects.SNAPSHOT_STREAM, subject)
        await names(product, *said)
    await is_not_named(product, *said)


async def test_music_that_was_stopped(product: Stack) -> None:
    said = ("No replica of the music service answers.",)
    await is_not_named(product, *said)
    (music,) = product.musics
    await music.stop()
    await names(product, *said)
    await music.start()
    await is_not_named(product, *said)


async def test_music_that_died(product: Stack) -> None:
    (music,) = product.musics
    await music.crash()
    await names(product, "music music-1 does not answer")
    await music.start()
    await is_not_named(product, "music-1")


async def test_a_limiter_whose_streams_are_gone(product: Stack) -> None:
    said = ("The limiter's stream", "is missing.")
    await is_not_named(product, *said)
    async with connected_as("admin", product) as bus:
        for rate in GLOBAL_RATES:
            answer = await bus.request(
                f"$JS.API.STREAM.DELETE.{subjects.limit_stream(rate)}", b"", timeout_s=5
            )
            assert json.loads(answer.payload)["success"]
    wrong = await sentences(product)
    assert {each for each in wrong if "limiter" in each and "missing" in each} == {
        f"The limiter's stream {subjects.limit_stream(rate)} is missing." for rate in GLOBAL_RATES
    }
    # A replica that starts sets them up again.
    await product.states[1].stop()
    await product.states[1].start()
    async with asyncio.timeout(PATIENCE_S):
        while [each for each in await sentences(product) if "is missing" in each]:
            pass


async def test_a_gateway_whose_secret_is_another_one(tmp_path: Path) -> None:
    async with started(tmp_path, gateways=2, musics=0) as stack, viewed(stack) as world:
        await is_not_named(stack, "another secret")
        other = stack.gateways[1]
        await other.stop()
        other.environment = {**other.environment, "HARMONIC_JWT_SECRET": "s" * 32}
        await other.start()

        # Without a secret for sessions, these are proven by the same one.
        for what, setting in (("tokens", "JWT"), ("sessions", "SESSION")):
            said = await names(stack, f"another secret of {what} than at gateway-")
            assert f"HARMONIC_{setting}_SECRET must be the same" in said
        for _ in range(3):
            refusal = await world.refused(world.token("ann"), gateway=1)
            assert refusal["data"]["code"] == "AUTH_ERROR"
        await names(stack, "gateway-2 refused", "its shared secret does not prove")


def test_each_rules_metric_stands_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "deploy" / "docs" / "metrics.md").read_text()
    assert all(rule.metric in page for rule in RULES)
