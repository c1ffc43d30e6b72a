"""The metrics of running services are those that are declared, from the start and for good."""

import itertools
import re
from types import ModuleType

import pytest

import harmonic_gateway.metrics
import harmonic_gateway.sockets.metrics
import harmonic_music.metrics
import harmonic_state.metrics
from harmonic_gateway.sockets.ended import EndReason
from harmonic_local.reference import METRICS, METRICS_PAGE
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import REASONS
from harmonic_runtime.observability import table
from harmonic_runtime.observability.specs import HistogramSpec, MetricSpec, declared_in
from harness.world import World
from operate.series import Scrape, scrape

TABLES: dict[str, tuple[ModuleType, ...]] = {
    "gateway-1": (table, harmonic_gateway.metrics, harmonic_gateway.sockets.metrics),
    "state-1": (table, harmonic_state.metrics),
    "music-1": (table, harmonic_music.metrics),
}
#: What prometheus-client itself says of a process.
OF_THE_LIBRARY = re.compile(r"(process|python)_")
#: A label with such a value would name a user, a universe or a connection.
UNBOUNDED = re.compile(r"user|universe|connection|instance|replica")


def sample_names(spec: MetricSpec) -> set[str]:
    if isinstance(spec, HistogramSpec):
        return {f"{spec.full_name}_{part}" for part in ("bucket", "count", "sum")}
    if spec.kind == "summary":
        return {f"{spec.full_name}_{part}" for part in ("count", "sum")}
    return {spec.full_name}


@pytest.mark.parametrize("process", TABLES)
async def test_a_service_shows_what_is_declared_and_nothing_else(
    world: World, process: str
) -> None:
    shown = await scrape(world.http, world.stack.ops_urls[process])

    names = {name for name, _ in shown.values if not OF_THE_LIBRARY.match(name)}
    declared = list(declared_in(*TABLES[process]))
    assert names == set().union(*map(sample_names, declared))
    for spec in declared:
        if spec is not table.BUILD_INFO:
            assert _series(shown, spec) == set(spec.labels.series)


def _series(shown: Scrape, spec: MetricSpec) -> set[tuple[str, ...]]:
    (name, *_) = sorted(sample_names(spec), reverse=True)
    return {
        tuple(dict(labels)[label] for label in spec.labels.names) for labels in shown.labels(name)
    }


async def test_a_service_says_which_build_it_is(world: World) -> None:
    shown = await scrape(world.http, world.stack.ops_urls["gateway-1"])
    (labels,) = shown.labels("harmonic_build_info")
    assert dict(labels) == {
        "service": "gateway",
        "version": "0.2.0",
        "commit": "unknown",
        "contract": "1",
    }


ALL = list(dict.fromkeys(declared_in(*itertools.chain(*TABLES.values()))))


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_no_label_names_a_user_a_universe_or_a_connection(spec: MetricSpec) -> None:
    assert not [name for name in spec.labels.names if UNBOUNDED.search(name)]


def test_every_reason_has_a_code_that_it_is_given_with() -> None:
    assert {reason for reasons in REASONS.values() for reason in reasons} == set(Reason)


def test_the_page_names_every_metric() -> None:
    page = METRICS_PAGE.read_text()
    for tables in METRICS.values():
        for spec in declared_in(*tables):
            assert f"| `{spec.full_name}` |" in page


async def test_a_connection_is_counted_and_logged_from_its_beginning_to_its_end(
    world: World,
) -> None:
    ops_url = world.stack.ops_urls["gateway-1"]
    before = await scrape(world.http, ops_url)

    client = await world.client(world.name("ann"), transports=["websocket"])
    opened = await world.logged('"connection_opened"')
    await client.close()
    await world.logged(f'"reason":"{EndReason.GOODBYE.value}"')

    after = await scrape(world.http, ops_url)
    for name, labels in (
        ("harmonic_connects_total", {"outcome": "accepted", "transport": "websocket"}),
        ("harmonic_disconnects_total", {"reason": "goodbye"}),
        ("harmonic_connect_seconds_count", {}),
    ):
        assert after.value(name, **labels) - before.value(name, **labels) == 1
    assert client.user not in opened
