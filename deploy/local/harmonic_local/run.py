"""An instance in the foreground: readable logs, a greeting with all one needs, Ctrl-C to stop."""

import asyncio
import os
import signal
import sys
from http import HTTPStatus

import aiohttp

from harmonic_local.instance import RUN_DIRECTORY, Instance, jwt_secret
from harmonic_local.processes import Managed, NotReadyError, is_free, parse
from harmonic_local.stack import Stack, StackPlan, running
from harmonic_local.tokens import make_token

#: A process that ends by itself is started again after so long.
RESTART_PAUSE_S = 1.0
SEED_UNIVERSE = "universe-123"
_SEEDING_USER = "harmonic"
_QUIET_KEYS = {"event", "level", "timestamp", "service", "logger"}


async def run(port: int, gateways: int, states: int, musics: int) -> int:
    """Run an instance until SIGINT or SIGTERM; the exit status."""
    problem = _problem(port, gateways)
    if problem:
        print(problem, file=sys.stderr)
        return 1
    plan = StackPlan(
        data=RUN_DIRECTORY,
        jwt_secret=jwt_secret(),
        port=port,
        gateways=gateways,
        states=states,
        musics=musics,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    failed = False
    try:
        async with running(plan, _print_line) as stack:
            await _seed(stack)
            _announce(stack)
            await _keep_running(stack, stop)
            print("Stopping …")
    except* NotReadyError as problems:
        for error in problems.exceptions:
            print(f"{error}. Its log is above.", file=sys.stderr)
        failed = True
    finally:
        Instance.remove()
    if failed:
        return 1
    print("Stopped. The data stays in .run/.")
    return 0


def _problem(port: int, gateways: int) -> str | None:
    instance = Instance.read()
    if instance is not None:
        return f"An instance runs here already, at {instance.url}: stop it first."
    busy = [wanted for wanted in range(port, port + gateways) if not is_free(wanted)]
    if busy:
        return f"Port {busy[0]} is in use: choose another, as in `make run PORT={port + 100}`."
    return None


async def _keep_running(stack: Stack, stop: asyncio.Event) -> None:
    stopping = asyncio.create_task(stop.wait())
    ends = {asyncio.create_task(process.ended()): process for process in stack.processes}
    while True:
        done, _ = await asyncio.wait({stopping, *ends}, return_when=asyncio.FIRST_COMPLETED)
        if stopping in done:
            for task in ends:
                task.cancel()
            return
        for task in done:
            process = ends.pop(task)
            print(f"{process.name} ended with status {task.result()}: starting it again")
            ends[asyncio.create_task(_restart(process))] = process


async def _restart(process: Managed) -> int:
    await asyncio.sleep(RESTART_PAUSE_S)
    try:
        await process.start()
    except NotReadyError:
        return 1
    return await process.ended()


async def _seed(stack: Stack) -> None:
    token = make_token(stack.plan.jwt_secret, _SEEDING_USER, lifetime_s=60)
    universe = {
        "id": SEED_UNIVERSE,
        "name": "The first universe",
        "visibility": "public",
        "publicMode": "edit",
    }
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http,
        http.post(f"{stack.urls[0]}/api/v1/universes", json=universe) as response,
    ):
        if response.status not in {HTTPStatus.CREATED, HTTPStatus.CONFLICT}:
            print(f"The universe {SEED_UNIVERSE} could not be made: {await response.text()}")


def _announce(stack: Stack) -> None:
    urls = stack.urls
    secret = stack.plan.jwt_secret
    Instance(urls[0], urls, secret, os.getpid()).write()
    token = make_token(secret, "user-123", name="john_doe", lifetime_s=24 * 3600)
    print(
        f"""
Harmonic Universe runs at {" and ".join(urls)}. Ctrl-C stops it.

A token for user-123, good for a day (another: make token USER=alice):
{token}

Paste this into the console of a page that has socket.io-client, or into node:
  const socket = io('{urls[0]}/ws', {{ auth: cb => cb({{ token: '{token}' }}) }});
  socket.onAny((event, data) => console.log(event, data));
  socket.emit('join_room', {{ universeId: '{SEED_UNIVERSE}', mode: 'edit' }});
  socket.emit('update_physics', {{ universeId: '{SEED_UNIVERSE}', parameters: {{ gravity: 4 }} }});

See two clients collaborate: make demo
""",
        flush=True,
    )


def _print_line(name: str, line: str) -> None:
    entry = parse(line)
    if not entry:
        print(f"{name:<10}| {line}", flush=True)
        return
    facts = " ".join(f"{key}={value}" for key, value in entry.items() if key not in _QUIET_KEYS)
    moment = str(entry.get("timestamp", ""))[11:23]
    level = str(entry.get("level", "info"))
    print(f"{name:<10}| {moment} {level:<7} {entry.get('event')} {facts}".rstrip(), flush=True)
