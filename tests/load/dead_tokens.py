"""``python -m load.dead_tokens``: what a client costs that comes again and again with a dead token.

A try is measured beside the same try at a bare aiohttp server, which accepts whatever comes and
answers with the same words: that is the floor. Server and floor take turns in one run. Then many
such clients come back for ever, as python-socketio's do, beside two well-behaved members of a room.
In the rounds without them, their process takes as much of the machine as in those with them: real
ones are elsewhere, and the difference is to be the gateway's.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TypeAlias

import jwt
import uvloop
from aiohttp import WSMsgType, web

from fuzz.attack import be_nice
from fuzz.campaign import MAX_RATIO, p99
from fuzz.neighbour import Neighbours
from fuzz.packets import frame
from harmonic_local.processes import Managed, free_port, says_ready
from harness.world import SECRET
from load.servers import ours, process_cpu_s

ROUNDS, TRIES, AT_ONCE = 6, 400, 8
#: What a try may cost.
MAX_TRY_MS = 0.3
#: Clients that come back for ever, each so long after its latest try.
CLIENTS, PAUSES_S = 1000, (2.5, 7.5)
#: How long neighbours are listened to, in turn without such clients and with them. These have been
#: refused before, as often as it takes to be remembered.
ROUND_S, WARMING_S = 10.0, 30.0
#: Where clients stay away, their CPU time is taken in so many parts a second.
STEPS_PER_S = 200
#: No address is to stand in the way.
UNLIMITED = {"HARMONIC_CONNECTS_PER_S": "1000000", "HARMONIC_CONNECTS_BURST": "1000000"}
_OPEN = '0{"sid":"g.0","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
_REFUSED = '44/ws,{"message":"The token has expired","data":{"code":"AUTH_ERROR"}}'
_ENGINE = "/socket.io/?EIO=4&transport="
_UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
_SID = re.compile(rb'"sid":"([^"]+)"')
Try: TypeAlias = Callable[[int, str], Awaitable[None]]


def _head(method: str, target: str, headers: str = "") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode()


async def by_websocket(port: int, token: str) -> None:
    """Open a WebSocket, bring the token in ``auth``, and be refused."""
    await _by_websocket(port, "", f'40/ws,{{"token":"{token}"}}')


async def by_query(port: int, token: str) -> None:
    """The same with the token in the query, which may be refused before."""
    await _by_websocket(port, f"&token={token}", "40/ws,")


async def _by_websocket(port: int, query: str, connect: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_head("GET", f"{_ENGINE}websocket{query}", _UPGRADE))
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " in head[:20]:
        await reader.readuntil(b'"maxPayload"')
        writer.write(frame(connect.encode()))
        await reader.readuntil(b"44/ws")
        writer.write(frame(b"\x03\xe8", 8))
    writer.close()


async def by_polling(port: int, token: str) -> None:
    """Three requests on one connection: open, CONNECT, and the poll that answers it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_head("GET", f"{_ENGINE}polling"))
    opened = await reader.readuntil(b"}")
    found = _SID.search(opened)
    if found is not None:
        target = f"{_ENGINE}polling&sid={found[1].decode()}"
        connect = f'40/ws,{{"token":"{token}"}}'.encode()
        writer.write(_head("POST", target, f"Content-Length: {len(connect)}\r\n") + connect)
        await reader.readuntil(b"ok")
        writer.write(_head("GET", target))
        await reader.readuntil(b"44/ws")
    writer.close()


TRIES_OF: Mapping[str, Try] = {
    "WebSocket, token in auth": by_websocket,
    "polling, token in auth": by_polling,
    "WebSocket, token in the query": by_query,
}


async def _serve_floor(port: int) -> None:
    """A server that knows nothing of sessions, and refuses everybody."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.query["transport"] == "polling":
            if request.method == "POST":
                await request.read()
                return web.Response(text="ok")
            return web.Response(text=_REFUSED if "sid" in request.query else _OPEN)
        websocket = web.WebSocketResponse(compress=False)
        await websocket.prepare(request)
        await websocket.send_str(_OPEN)
        async for message in websocket:
            if message.type is WSMsgType.TEXT:
                await websocket.send_str(_REFUSED)
        return websocket

    app = web.Application()
    app.add_routes([web.route("*", "/socket.io/", answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(json.dumps({"event": "ready"}), flush=True)  # noqa: T201 -- for the one who started it
    await asyncio.Event().wait()


@asynccontextmanager
async def floor() -> AsyncIterator[tuple[int, Managed]]:
    """A bare server that runs: its port, and its process."""
    port = free_port()
    process = Managed(
        name="floor",
        command=[sys.executable, "-m", "load.dead_tokens", "--floor", str(port)],
        environment={},
        output=lambda _name, _line: None,
        sign=says_ready,
    )
    try:
        await process.start()
        yield port, process
    finally:
        process.kill()
        await process.stop()


async def cost_ms(process: Managed, port: int, one: Try, token: str, tries: int) -> float:
    """Milliseconds of a server's CPU for each of so many tries."""
    before_s = process_cpu_s(process)
    for _ in range(tries // AT_ONCE):
        await asyncio.gather(*(one(port, token) for _ in range(AT_ONCE)))
    # What is left of the connections is the server's work as well.
    await asyncio.sleep(0.2)
    return 1000 * (process_cpu_s(process) - before_s) / (tries // AT_ONCE * AT_ONCE)


async def measure(rounds: int, tries: int) -> dict[str, dict[str, list[float]]]:
    """Milliseconds by kind and server, a value a round."""
    found: dict[str, dict[str, list[float]]] = {}
    dead = dead_token("ann")
    async with ours(**UNLIMITED) as product, floor() as (floor_port, floor_process):
        sides = {
            "gateway": (product.processes["gateway"], product.port),
            "floor": (floor_process, floor_port),
        }
        for number in range(rounds + 1):
            for kind, one in TRIES_OF.items():
                for side, (process, port) in sides.items():
                    spent_ms = await cost_ms(process, port, one, dead, tries)
                    # The first round has to fill caches.
                    if number:
                        found.setdefault(kind, {}).setdefault(side, []).append(spent_ms)
    return found


def dead_token(user: str) -> str:
    """A token that has expired."""
    return jwt.encode({"sub": user, "exp": 1, "iat": 0}, SECRET, algorithm="HS256")


@dataclass(frozen=True)
class Came:
    """How often clients came back, and the CPU seconds that this took of their own process."""

    tries: int
    cpu_s: float


def stay_away(cpu_s: float, seconds: float) -> None:
    """Take so much CPU time within so long, evenly: what clients take that come back."""
    steps = int(seconds * STEPS_PER_S)
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    for step in range(1, steps + 1):
        while time.process_time() - began_cpu_s < cpu_s * step / steps:
            pass
        time.sleep(max(began_s + step / STEPS_PER_S - time.monotonic(), 0))


def come_back(port: int, seconds: float) -> Came:
    """Have all clients come back for so long, each with a token of its own."""
    tries = 0
    began_cpu_s = time.process_time()

    async def one(number: int) -> None:
        nonlocal tries
        token = dead_token(f"dead-{number}")
        await asyncio.sleep(random.uniform(0, PAUSES_S[1]))
        while True:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await by_websocket(port, token)
            tries += 1
            await asyncio.sleep(random.uniform(*PAUSES_S))

    async def all_of_them() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(one(number) for number in range(CLIENTS)))

    uvloop.run(all_of_them())
    return Came(tries, time.process_time() - began_cpu_s)


@dataclass
class Beside:
    """What neighbours wait without such clients and with them; the gateway's share of a core."""

    quiet_s: list[float]
    beside_s: list[float]
    share: list[float]
    tries_per_s: list[float]

    @property
    def ratio(self) -> float:
        """How much longer neighbours wait."""
        return median(self.beside_s) / median(self.quiet_s)


async def neighbours_wait(rounds: int) -> Beside:
    """Rounds without and with clients that come back, in turn."""
    seen = Beside([], [], [], [])
    loop = asyncio.get_running_loop()
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=be_nice)
    async with ours(**UNLIMITED) as product:
        gateway = product.processes["gateway"]
        with pool:
            neighbours = Neighbours(product.world)
            await neighbours.come()
            came = await loop.run_in_executor(pool, come_back, product.port, WARMING_S)
            taken_s = came.cpu_s * ROUND_S / WARMING_S
            for _ in range(rounds):
                over = asyncio.Event()
                away = loop.run_in_executor(pool, stay_away, taken_s, ROUND_S)
                away.add_done_callback(partial(_tell, over))
                seen.quiet_s.append(p99(await neighbours.talk(over, 0)))
                await away
                over = asyncio.Event()
                before_s, began_s = process_cpu_s(gateway), loop.time()
                coming = loop.run_in_executor(pool, come_back, product.port, ROUND_S)
                coming.add_done_callback(partial(_tell, over))
                seen.beside_s.append(p99(await neighbours.talk(over, 0)))
                came = await coming
                taken_s = came.cpu_s
                seen.tries_per_s.append(came.tries / ROUND_S)
                spent_s = process_cpu_s(gateway) - before_s
                seen.share.append(spent_s / (loop.time() - began_s))
            await neighbours.go()
    return seen


def _tell(over: asyncio.Event, _: object) -> None:
    over.set()


def main() -> int:
    """Measure, and print a table; 1 if a try costs too much."""
    parser = argparse.ArgumentParser(prog="load.dead_tokens", description=__doc__)
    parser.add_argument("--floor", type=int, metavar="PORT", help="be the bare server")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--tries", type=int, default=TRIES, help="of each kind in a round")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if options.floor is not None:
            runner.run(_serve_floor(options.floor))
        found = runner.run(measure(options.rounds, options.tries))
        beside = runner.run(neighbours_wait(options.rounds))
    lines = ["| a try | gateway (ms) | bare aiohttp (ms) | ratio |", "|---|---|---|---|"]
    for kind, sides in found.items():
        mine, bare = median(sides["gateway"]), median(sides["floor"])
        lines.append(f"| {kind} | {mine:.3f} | {bare:.3f} | {mine / bare:.2f} |")
    lines.append(
        f"{CLIENTS} clients, {median(beside.tries_per_s):.0f} tries a second: a neighbour's p99"
        f" {1000 * median(beside.quiet_s):.1f} -> {1000 * median(beside.beside_s):.1f} ms"
        f" ({beside.ratio:.2f}), the gateway takes {median(beside.share):.1%} of a core"
    )
    sys.stdout.write("\n".join(lines) + "\n")
    too_dear = any(median(sides["gateway"]) > MAX_TRY_MS for sides in found.values())
    return int(too_dear or beside.ratio > MAX_RATIO)


if __name__ == "__main__":
    sys.exit(main())
