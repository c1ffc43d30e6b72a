"""An instance in the foreground: readable logs, a greeting, Ctrl-C to stop."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

from harmonic_local.console import Console
from harmonic_local.instance import RUN_DIRECTORY, AlreadyRunning, Instance, alone, jwt_secret
from harmonic_local.processes import Managed, NotReadyError, is_free
from harmonic_local.stack import Stack, StackPlan, running
from harmonic_local.tokens import make_token

#: A process that ends by itself is started again after so long.
RESTART_PAUSE_S = 1.0
SEED_TIMEOUT_S = 10.0
#: Other commands look for a moment whether an instance runs.
ASKED_WITHIN_S = 1.0
SEED_UNIVERSE = "universe-123"
DAY_S = 24 * 3600
MAX_PORT = 65535
_SEEDING_USER = "harmonic"
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Wanted:
    """What is to run here: gateways on ``port`` and those after it, and how many of each."""

    port: int
    gateways: int
    states: int
    musics: int

    def problem(self) -> str | None:
        """Why the instance cannot run, if so."""
        if min(self.gateways, self.states, self.musics) < 1:
            return "GATEWAYS, STATES and MUSICS must each be at least 1."
        ports = range(self.port, self.port + self.gateways)
        if self.port < 1 or ports[-1] > MAX_PORT:
            return f"PORT must leave room for all gateways between 1 and {MAX_PORT}."
        busy = [port for port in ports if not is_free(port)]
        if busy:
            return f"Port {busy[0]} is in use: choose another, as in `make run PORT=8100`."
        return None


async def run(wanted: Wanted) -> int:
    """Run an instance until a signal asks for its end; the exit status."""
    try:
        with alone(patience_s=ASKED_WITHIN_S):
            problem = wanted.problem()
            if problem is None:
                return await _until_stopped(wanted)
    except AlreadyRunning:
        instance = Instance.read()
        where = f" at {instance.gateways[0]}" if instance else ""
        problem = f"An instance runs here already{where}: stop it first."
    print(problem, file=sys.stderr)
    return 1


async def _until_stopped(wanted: Wanted) -> int:
    stop = asyncio.Event()
    console = Console(on_lost=stop.set)
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    serving = asyncio.create_task(_serve(wanted, console))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not serving.done():
        console.say("\nStopping …")
        # Once only: a second signal must not cut short what the first has begun.
        serving.cancel()
    await asyncio.wait({serving})
    if not serving.cancelled():
        return serving.result()
    console.say(f"Stopped. The data stays in {RUN_DIRECTORY}/.")
    return 0


async def _serve(wanted: Wanted, console: Console) -> int:
    """Run until cancelled; return 1 if it does not start."""
    Instance.remove()
    plan = StackPlan(
        data=RUN_DIRECTORY,
        jwt_secret=jwt_secret(),
        port=wanted.port,
        gateways=wanted.gateways,
        states=wanted.states,
        musics=wanted.musics,
        settings={
            # A page under development comes from anywhere.
            "HARMONIC_ALLOWED_ORIGINS": os.environ.get("HARMONIC_ALLOWED_ORIGINS", "*"),
            "HARMONIC_GUEST_TOKENS": os.environ.get("HARMONIC_GUEST_TOKENS", "true"),
        },
    )
    try:
        async with running(plan, console.log) as stack:
            await seed(stack, console)
            Instance(stack.urls, plan.jwt_secret, stack.bus_user("operator")).write()
            console.say(_greeting(stack))
            async with asyncio.TaskGroup() as keepers:
                for process in stack.processes:
                    keepers.create_task(_keep(process, console))
    except* NotReadyError as problems:
        for problem in problems.exceptions:
            print(f"{problem}: what it said is above.", file=sys.stderr)
    finally:
        Instance.remove()
    return 1


async def _keep(process: Managed, console: Console) -> None:
    """Start a process again whenever it ends by itself."""
    while True:
        status = await process.ended()
        console.say(f"{process.name} ended with status {status}: starting it again")
        await asyncio.sleep(RESTART_PAUSE_S)
        try:
            await process.start()
        except NotReadyError as problem:
            console.say(f"{problem}")


async def seed(stack: Stack, console: Console) -> None:
    """Create the first universe, unless it exists; print a message if that fails."""
    token = make_token(stack.plan.jwt_secret, _SEEDING_USER, lifetime_s=60)
    universe = {
        "id": SEED_UNIVERSE,
        "name": "The first universe",
        "visibility": "public",
        "publicMode": "edit",
    }
    try:
        async with (
            aiohttp.ClientSession(
                headers={"Authorization": f"Bearer {token}"},
                timeout=aiohttp.ClientTimeout(total=SEED_TIMEOUT_S),
            ) as http,
            # Its certificate, if it has one, need not be for this machine's own address.
            http.post(f"{stack.urls[0]}/api/v1/universes", json=universe, ssl=False) as response,
        ):
            # Who starts it again has the universe, or has deleted it.
            if response.status in {HTTPStatus.CREATED, HTTPStatus.CONFLICT}:
                return
            problem = await response.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        problem = str(error) or "the gateway did not answer in time"
    console.say(f"{SEED_UNIVERSE} could not be made: {problem}")


def _greeting(stack: Stack) -> str:
    url = stack.urls[0]
    token = make_token(stack.plan.jwt_secret, "user-123", name="john_doe", lifetime_s=DAY_S)
    return f"""
Harmonic Universe runs at {" and ".join(stack.urls)}. Ctrl-C stops it.
See it and hear it in a browser: {url}/?universe={SEED_UNIVERSE}

A token for user-123, good for a day; for another user: make token USER=alice
{token}

With socket.io-client, in a page's console or in Node:

  const token = '<the token>';
  const socket = io('{url}/ws', {{ auth: callback => callback({{ token }}) }});
  socket.onAny((event, data) => console.log(event, data));
  socket.emit('join_room', {{ universeId: '{SEED_UNIVERSE}', mode: 'edit' }});
  socket.emit('update_physics', {{ universeId: '{SEED_UNIVERSE}', parameters: {{ gravity: 4 }} }});

Two clients that work together, in a second terminal: make demo
"""
