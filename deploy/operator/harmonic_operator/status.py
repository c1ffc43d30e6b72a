"""``harmonic status`` and ``harmonic top``: the state of the product, on one screen."""

import asyncio
from dataclasses import asdict
from datetime import timedelta

from harmonic_operator.connection import NotDone, greet, load_quietly, run
from harmonic_operator.judging import Overview, notes, problems, total
from harmonic_operator.monitoring import broker_stores
from harmonic_operator.output import console, size, table, write_json
from harmonic_operator.replicas import describe
from harmonic_operator.settings import OperatorSettings
from harmonic_operator.streams import StreamReport, store_state, stream_states
from harmonic_protocol.operating import BusyUniverse, Description
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.process.clock import SystemClock


def run_status(certificate_days: float, *, as_json: bool) -> None:
    """Run `harmonic status`, and end with its exit status."""
    settings = load_quietly()
    run(
        lambda bus: status(bus, settings, certificate_days=certificate_days, as_json=as_json),
        settings,
    )


async def status(
    bus: Bus, settings: OperatorSettings, *, certificate_days: float, as_json: bool
) -> None:
    """Show the state of the product; raise :class:`NotDone` if there is a problem.

    A certificate that ends within ``certificate_days`` is one.
    """
    overview = await look(bus, settings, certificate_days)
    wrong = problems(overview)
    if as_json:
        write_json({"problems": wrong, "notes": notes(overview), **_plain(overview)})
    else:
        _show(overview)
    if wrong:
        raise NotDone("\n".join(wrong))
    if not as_json:
        console.print("Nothing is wrong.")


async def look(bus: Bus, settings: OperatorSettings, certificate_days: float) -> Overview:
    """The product at this moment."""
    now = SystemClock().now()
    replicas, streams, store, brokers, disks = await asyncio.gather(
        describe(bus),
        stream_states(bus),
        store_state(bus),
        greet(settings),
        broker_stores(settings),
    )
    return Overview(
        replicas,
        tuple(streams),
        store,
        at=now,
        renewed_until=now + timedelta(certificate_days),
        brokers=tuple(brokers),
        disks=tuple(disks),
    )


async def top(bus: Bus, most: int, *, as_json: bool) -> None:
    """Show the universes with the most requests."""
    states = await describe(bus, "state", busiest=most)
    found = busiest(states.of("state"))[:most]
    if as_json:
        write_json([each.to_wire() for each in found])
        return
    rows = [(each.universe_id, f"{each.requests_per_s:.1f}", each.connections) for each in found]
    console.print(table("", ("Universe", "Requests/s ", "Connections "), rows))


def busiest(states: list[Description]) -> list[BusyUniverse]:
    """The universes of all replicas, each once, the busiest first."""
    known: dict[str, BusyUniverse] = {}
    for each in (busy for state in states for busy in state.busiest):
        before = known.get(each.universe_id)
        # Both owners count a universe that has moved lately.
        if before is None or each.requests_per_s > before.requests_per_s:
            known[each.universe_id] = each
    return sorted(known.values(), key=lambda each: -each.requests_per_s)


def _plain(overview: Overview) -> dict[str, object]:
    return {
        "replicas": [each.to_wire() for each in overview.replicas.described],
        "silent": [each.to_wire() for each in overview.replicas.silent],
        "streams": [asdict(each) for each in overview.streams],
        "store": None if overview.store is None else [asdict(each) for each in overview.store],
        "brokers": [asdict(each) for each in overview.brokers],
        "disks": [asdict(each) for each in overview.disks],
    }


def _show(overview: Overview) -> None:
    replicas = sorted(overview.replicas.described, key=lambda each: (each.service, each.instance))
    console.print(
        table(
            "",
            ("Service", "Instance", "Version", "State", "Up ", "Connections ", "Loop lag "),
            [_replica_row(each) for each in replicas],
        )
    )
    rows = [_stream_row(each) for each in overview.streams if each.problem is None]
    columns = ("Stream", "Messages ", "Bytes ", "Full ", "Leader", "Copies behind ")
    console.print(table("", columns, rows))
    for note in notes(overview):
        console.print(note)
    if overview.brokers:
        answering = sum(each.problem is None for each in overview.brokers)
        console.print(f"{answering} of {len(overview.brokers)} brokers answer.")
    for share in overview.store or ():
        tier = f" for {share.tier}" if share.tier else ""
        bound = f" of {size(share.max_bytes)}" if share.max_bytes else ""
        console.print(f"In {share.storage}{tier}: {size(share.bytes)}{bound}.")


def _replica_row(described: Description) -> tuple[object, ...]:
    lag_s = total(described.values, "harmonic_event_loop_lag_seconds")
    connections = None
    if described.service == "gateway":
        connections = int(total(described.values, "harmonic_connections"))
    return (
        described.service,
        described.instance,
        described.version,
        described.state,
        _duration(described.uptime_s),
        connections,
        f"{lag_s * 1000:.0f} ms",
    )


def _stream_row(stream: StreamReport) -> tuple[object, ...]:
    fill = None if stream.fill is None else f"{stream.fill:.0%}"
    behind = max((copy.behind for copy in stream.copies), default=None)
    return stream.name, stream.messages, size(stream.bytes), fill, stream.leader, behind


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} m"
    return f"{minutes} m {rest} s"
