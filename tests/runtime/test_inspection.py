"""What brokers tell of an account's bounds."""

from pathlib import Path

from harmonic_local.processes import free_port
from harmonic_local.stack import broker
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.inspection import Inspection, StoreShare, read_store
from harmonic_runtime.bus.streams import Streams
from harness.broker import connected


async def test_a_bound_of_the_account_is_told_with_what_it_holds(tmp_path: Path) -> None:
    config = tmp_path / "bounded.conf"
    config.write_text(
        "accounts: { A: { jetstream: { max_file: 1000000, max_mem: 2000000 },"
        " users: [{ user: me, password: mine }] } }"
    )
    port = free_port()
    process = broker(tmp_path / "data", port, lambda _name, _line: None, config=config)
    await process.start()
    async with connected(f"nats://127.0.0.1:{port}", nats_user="me", nats_password="mine") as bus:
        await Streams(bus).ensure({"name": "S", "subjects": ["s"], "storage": "file"}, version=1)
        await Streams(bus).append("s", bytes(500_000), timeout_s=5)

        file, memory = await Inspection(bus).store()

    await process.stop()
    assert (file.storage, file.tier, file.max_bytes) == ("file", "", 1_000_000)
    assert 0.5 <= file.fill < 0.51
    assert memory == StoreShare("memory", "", 0, 2_000_000)


async def test_an_account_without_a_bound_is_never_full(bus: Bus) -> None:
    for share in await Inspection(bus).store():
        assert (share.max_bytes, share.fill) == (None, 0.0)


def test_bounds_by_the_number_of_copies_are_told_one_by_one() -> None:
    def tier(storage: int, most: int) -> dict[str, object]:
        limits = {"max_memory": -1, "max_storage": most}
        return {"memory": 0, "storage": storage, "limits": limits}

    nothing = {"memory": 0, "storage": 0, "limits": {"max_memory": 0, "max_storage": 0}}
    found = read_store({**nothing, "tiers": {"R1": tier(10, 100), "R3": tier(90, 100)}})
    assert found == (
        StoreShare("file", "R1", 10, 100),
        StoreShare("memory", "R1", 0),
        StoreShare("file", "R3", 90, 100),
        StoreShare("memory", "R3", 0),
    )
