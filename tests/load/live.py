"""``python -m load.live``: what live signals cost the committed updates of their room.

Three measurements, each with its own product:

- ``previews``: a room of 100, 10 of whom preview 30 times a second each.
- ``audio``: a room of 20, 3 of whom send 30 frames a second, each of two arrays of 2,048 floats.
- ``presence``: 1,000 members at 3 gateways show something of themselves; newcomers wait until they
  have been shown all of it, also after each gateway was restarted. And what one change costs.

Updates are sent and heard by two members in this process; the crowd is another one. In turn, the
crowd is silent and is not (ABBA): the ratio of the updates' 99th percentiles is what counts.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from statistics import median, quantiles

import aiohttp
import uvloop

from chaos.promises import say
from harmonic_local.stack import Stack
from harmonic_local.tokens import make_token
from harness.client import Client
from harness.world import SECRET, World, started
from load.client import NAMESPACE, Failed, LoadClient
from load.crowd import CONNECTING
from load.servers import MAX_PARTICIPANTS, cpu_clock_s

RATE_PER_S = 30
SAMPLES = 2048
#: A block of measured updates: so long unless it is said, so many a second.
BLOCK_S, UPDATES_PER_S = 4.0, 25
P99_RATIO_TARGET = 1.2
PRESENCE_TARGET_S = 2.0
#: How long everything that was sent may take to arrive, where everything has to.
DRAIN_S = 20.0
#: Changes of presence whose cost is measured.
CHANGES = 100

_EVENT = f'42{NAMESPACE},["'.encode()
_BINARY = f'452-{NAMESPACE},["'.encode()


class Member(LoadClient):
    """A member of the crowd that counts what it hears, by event."""

    def __init__(self, token: str, universe: str, on_event: Callable[[bytes, bytes], None]) -> None:
        super().__init__(token, universe, lambda: None)
        self.heard: Counter[bytes] = Counter()
        self._on_event = on_event

    def _packet(self, data: bytes, start: int, end: int) -> None:
        super()._packet(data, start, end)
        for head in (_EVENT, _BINARY):
            if data.startswith(head, start):
                name = data[start + len(head) : data.index(b'"', start + len(head))]
                self.heard[name] += 1
                self._on_event(name, data[start:end])

    def expects_end(self) -> None:
        """Its gateway is about to stop."""
        self._leaving = True

    def emit_binary(self, event: str, data: object, attachments: list[bytes]) -> None:
        """Say something with attachments."""
        text = json.dumps([event, data], separators=(",", ":"))
        self._send(f"45{len(attachments)}-{NAMESPACE},{text}")
        assert self._transport is not None
        for attachment in attachments:
            size = len(attachment).to_bytes(2)
            self._transport.write(b"\x82" + bytes((0x80 | 126,)) + size + bytes(4) + attachment)


def _nothing(_name: bytes, _data: bytes) -> None:
    """What the crowd hears is counted, and no more."""


async def until(holds: Callable[[], bool]) -> None:
    """Return once something holds, or give up."""
    ends_s = time.monotonic() + DRAIN_S
    while not holds():
        if time.monotonic() > ends_s:
            raise Failed("what was sent did not arrive")
        await asyncio.sleep(0.01)


# The crowd's process.


async def crowd(kind: str, ports: list[int], universe: str, size: int, talkers: int) -> None:
    """Come in, and then do as each line of standard input says."""
    members = []
    for number in range(size):
        token = make_token(SECRET, f"member-{number}")
        member = Member(token, universe, _nothing)
        members.append(await member.join(ports[number % len(ports)]))
    say("ready")
    talk = _TALK[kind]
    talking: list[asyncio.Task[int]] = []
    sent = 0
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while (line := (await reader.readline()).decode().strip()) not in {"", "end"}:
        if line == "on":
            talking = [
                asyncio.create_task(talk(member, universe, number))
                for number, member in enumerate(members[:talkers])
            ]
        elif line == "off":
            for task in talking:
                task.cancel()
            sent += sum(await asyncio.gather(*talking))
        say(line)
    name = _HEARD[kind]
    # Those who preview hear the others only.
    listeners = members[talkers:]
    await until(lambda: all(member.heard[name] >= sent for member in listeners))
    least = min(member.heard[name] for member in listeners)
    for member in members:
        if member.failed.done():
            member.failed.result()
        member.leave()
    say(json.dumps({"sent": sent, "least": least}))


async def _paced(send: Callable[[int], None], phase: int) -> int:
    """Send at the rate until cancelled; how often that was."""
    sent, began_s = 0, time.monotonic() + phase / RATE_PER_S / 10
    try:
        while True:
            await asyncio.sleep(max(0.0, began_s + sent / RATE_PER_S - time.monotonic()))
            send(sent)
            sent += 1
    except asyncio.CancelledError:
        return sent


async def _preview(member: Member, universe: str, number: int) -> int:
    def send(sent: int) -> None:
        physics = {"gravity": sent % 200 / 10}
        member.emit("preview_parameters", {"universeId": universe, "physics": physics})

    return await _paced(send, number)


async def _hear(member: Member, universe: str, number: int) -> int:
    floats = bytes(range(256)) * (SAMPLES * 4 // 256)
    analysis = {
        "frequencies": {"_placeholder": True, "num": 0},
        "waveform": {"_placeholder": True, "num": 1},
        "timestamp": "2024-03-21T10:30:00Z",
    }

    def send(_: int) -> None:
        data = {"universeId": universe, "analysis": analysis}
        member.emit_binary("audio_analysis", data, [floats, floats])

    return await _paced(send, number)


_TALK = {"previews": _preview, "audio": _hear}
_HEARD = {"previews": b"parameters_previewed", "audio": b"audio_analyzed"}


class Crowd:
    """The crowd's process, as this one steers it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def does(self, what: str) -> str:
        """Have it do something; the line that it answers."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n".encode())
        return await self.says()

    async def says(self) -> str:
        """Its next line."""
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode().strip()
        if not line:
            raise Failed("the crowd is gone")
        return line


@asynccontextmanager
async def crowded(
    kind: str, ports: list[int], universe: str, size: int, talkers: int
) -> AsyncIterator[Crowd]:
    """A crowd that has come in."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "load.live", "crowd", kind, ",".join(map(str, ports))),
        *(universe, str(size), str(talkers)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        made = Crowd(process)
        await made.says()
        yield made
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


# Measurements.


class Updates:
    """Updates of one member, and when the other has heard each."""

    def __init__(self, universe: str, block_s: float) -> None:
        self._universe = universe
        self._block_s = block_s
        self._sent_s: dict[float, float] = {}
        self.took_s: list[float] = []
        self._value = 0
        self.writer = Member(make_token(SECRET, "writer"), universe, _nothing)
        self.reader = Member(make_token(SECRET, "reader"), universe, self._hear)

    async def run(self) -> list[float]:
        """A block of updates: how long each took, in seconds."""
        self.took_s = []
        began_s = time.monotonic()
        count = int(self._block_s * UPDATES_PER_S)
        for number in range(count):
            await asyncio.sleep(max(0.0, began_s + number / UPDATES_PER_S - time.monotonic()))
            self._value += 1
            tempo = 40 + self._value % 1600 / 10
            self._sent_s[tempo] = time.monotonic()
            update = {"universeId": self._universe, "parameters": {"tempo": tempo}}
            self.writer.emit("update_music", update)
        await until(lambda: len(self.took_s) >= count)
        return self.took_s

    def _hear(self, name: bytes, data: bytes) -> None:
        if name == b"music_updated":
            tempo = json.loads(data[data.index(b"[") :])[1]["parameters"]["tempo"]
            self.took_s.append(time.monotonic() - self._sent_s.pop(tempo))


def p99(values: list[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98]


async def beside(
    kind: str, size: int, talkers: int, gateways: int, pairs: int, *, block_s: float
) -> bool:
    """Updates with the crowd silent and not, in pairs; whether the target was met."""
    with tempfile.TemporaryDirectory() as directory:
        async with (
            started(Path(directory), gateways=gateways, musics=0) as stack,
            aiohttp.ClientSession() as http,
        ):
            world = World(stack, http)
            universe = await world.universe(maxParticipants=MAX_PARTICIPANTS)
            ports = stack.gateway_ports
            updates = Updates(universe, block_s)
            await updates.writer.join(ports[0])
            await updates.reader.join(ports[-1])
            async with crowded(kind, ports, universe, size - 2, talkers) as loud:
                await updates.run()
                silent: list[list[float]] = []
                noisy: list[list[float]] = []
                for number in range(pairs):
                    for is_noisy in (False, True) if number % 2 == 0 else (True, False):
                        if is_noisy:
                            await loud.does("on")
                        (noisy if is_noisy else silent).append(await updates.run())
                        if is_noisy:
                            await loud.does("off")
                told = json.loads(await loud.does("end"))
            superseded = sum(
                [await world.metric("signals_superseded_total", gateway=n) for n in range(gateways)]
            )
            updates.writer.leave()
            updates.reader.leave()
    ratio = median(p99(b) / p99(a) for a, b in zip(silent, noisy, strict=True))
    all_a, all_b = [*chain(*silent)], [*chain(*noisy)]
    say(
        f"{kind}: p99 of updates {1e3 * p99(all_a):.1f} -> {1e3 * p99(all_b):.1f} ms,"
        f" median ratio of {pairs} pairs {ratio:.2f} (median {1e3 * median(all_a):.1f} ->"
        f" {1e3 * median(all_b):.1f} ms); {told['sent']} signals sent, each of the others heard at"
        f" least {told['least']}, {superseded:.0f} superseded"
    )
    return ratio <= P99_RATIO_TARGET and told["least"] == told["sent"]


async def presence(members: int) -> bool:
    """Newcomers at each gateway, before and after each was restarted; whether all were in time."""
    with tempfile.TemporaryDirectory() as directory:
        async with (
            started(Path(directory), gateways=3, musics=0) as stack,
            aiohttp.ClientSession() as http,
        ):
            world = World(stack, http)
            universe = await world.universe(maxParticipants=MAX_PARTICIPANTS)
            # One place is left for newcomers.
            shown = members - 1
            crowd_of = {
                n: await _shows(stack.gateway_ports[n % 3], universe, n) for n in range(shown)
            }
            cost_ms = await _cost_ms(stack, universe, crowd_of)
            say(f"a change of presence, shown to {shown}: {cost_ms:.1f} ms of CPU")
            took_s = [await _newcomer(world, universe, gateway, shown) for gateway in range(3)]
            for gateway in range(3):
                await _restarted(stack, universe, crowd_of, gateway)
                took_s.append(await _newcomer(world, universe, gateway, shown))
            for member in crowd_of.values():
                member.leave()
    told = ", ".join(f"{one:.2f}" for one in took_s)
    say(f"presence of {shown}: newcomers were shown all of it within {told} s")
    return max(took_s) <= PRESENCE_TARGET_S


async def _cost_ms(stack: Stack, universe: str, crowd_of: dict[int, Member]) -> float:
    """What one change of presence costs all processes but the clients', in milliseconds of CPU."""
    processes = [*stack.gateways, *stack.states, *stack.brokers]
    before_s = sum(cpu_clock_s(process.pid) for process in processes)
    for number in range(CHANGES):
        _show(crowd_of[number], universe, number, number)
        await asyncio.sleep(1 / RATE_PER_S)
    await asyncio.sleep(1)
    return (sum(cpu_clock_s(process.pid) for process in processes) - before_s) * 1e3 / CHANGES


async def _restarted(
    stack: Stack, universe: str, crowd_of: dict[int, Member], gateway: int
) -> None:
    """Restart a gateway, whose members go to another one, and back; nothing is shown again."""
    process, ports = stack.gateways[gateway], stack.gateway_ports
    movers = [number for number in crowd_of if number % 3 == gateway]
    for number in movers:
        crowd_of[number].expects_end()
    await process.stop()
    # Soon enough that nobody is taken to have left.
    await _move(movers, crowd_of, ports[(gateway + 1) % 3], universe)
    await process.start()
    for member in await _move(movers, crowd_of, ports[gateway], universe):
        member.leave()


async def _move(
    movers: list[int], crowd_of: dict[int, Member], port: int, universe: str
) -> list[Member]:
    """Have members come in anew, a few at the same time; what they were before."""
    free = asyncio.Semaphore(CONNECTING)

    async def moved(number: int) -> Member:
        async with free:
            before, crowd_of[number] = crowd_of[number], await _joined(port, universe, number)
            return before

    return await asyncio.gather(*map(moved, movers))


async def _joined(port: int, universe: str, number: int) -> Member:
    member = Member(make_token(SECRET, f"member-{number}"), universe, _nothing)
    return await member.join(port)


async def _shows(port: int, universe: str, number: int) -> Member:
    member = await _joined(port, universe, number)
    _show(member, universe, number, 0)
    return member


def _show(member: Member, universe: str, number: int, x: int) -> None:
    state = {"cursor": {"x": x, "y": number}, "color": "#ff8800", "status": "editing"}
    member.emit("update_presence", {"universeId": universe, "state": state})


async def _newcomer(world: World, universe: str, gateway: int, members: int) -> float:
    """How long a newcomer waits until it knows what all the others show, in seconds."""
    client: Client = await world.client(world.name("newcomer"), gateway=gateway)
    began_s = time.monotonic()
    await client.joins(universe)
    known: set[str] = set()

    def knows_all() -> bool:
        for told in client.all_heard("presence_states"):
            known.update(each["userId"] for each in told["states"])
        known.update(told["userId"] for told in client.all_heard("presence_updated"))
        return len(known) >= members

    try:
        await until(knows_all)
    except Failed as error:
        raise Failed(f"a newcomer was shown {len(known)} of {members}") from error
    took_s = time.monotonic() - began_s
    await client.close()
    return took_s


def main() -> int:
    if sys.argv[1:2] == ["crowd"]:
        kind, listed, universe, members, talking = sys.argv[2:]
        ports = [*map(int, listed.split(","))]
        uvloop.run(crowd(kind, ports, universe, int(members), int(talking)))
        return 0
    parser = argparse.ArgumentParser(prog="python -m load.live", description=__doc__)
    parser.add_argument("kinds", nargs="*", default=["previews", "audio", "presence"])
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--block", type=float, default=BLOCK_S, help="seconds of each half")
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--members", type=int, default=1000)
    asked = parser.parse_args()
    is_met = True
    for kind in asked.kinds:
        if kind == "presence":
            is_met &= uvloop.run(presence(asked.members))
        else:
            size, talkers = {"previews": (100, 10), "audio": (20, 3)}[kind]
            many = (size, talkers, asked.gateways, asked.pairs)
            is_met &= uvloop.run(beside(kind, *many, block_s=asked.block))
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
