"""Users who stay in their rooms whatever happens, write there, and record what they see."""

import asyncio
import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from chaos.history import Attempt, Changes, History, Life, Operation, Outcome, Read
from chaos.light import LightClient, NotConnected
from harmonic_local.stack import Stack
from harmonic_local.tokens import make_token
from harness.world import SECRET

RETRY_PAUSE_S = 0.2
#: A command that was not acknowledged after so long is given up: its outcome is not known.
GIVE_UP_S = 40.0
#: A refusal for good is believed after so many.
MAX_REFUSALS = 3
MAX_BURST = 4
#: How often a command is sent once more though it was acknowledged, or cannot be granted.
REPEATED, INVALID = 0.15, 0.03
#: Room for as many operations, each with a value of its own, as anybody will make.
STEP = 1e-6
#: Fields that take any number of the interval, with its lower end.
FIELDS: Mapping[str, Mapping[str, float]] = {
    "physics": {"gravity": 0.0, "friction": 0.0, "elasticity": 0.0, "timeScale": 0.1},
    "music": {"harmony": 0.0, "tempo": 40.0, "melodyRange": 0.0},
    "visualization": {"brightness": 0.0, "saturation": 0.0, "glowIntensity": 0.0},
}
_TRANSIENT = {"INTERNAL_ERROR", "RATE_LIMITED"}


class Member:
    """A user's connection to one gateway, in some rooms; made anew whenever it is lost."""

    def __init__(
        self,
        user: str,
        gateway: int,
        universes: Sequence[str],
        *,
        mode: str,
        stack: Stack,
        http: aiohttp.ClientSession,
        history: History,
    ) -> None:
        self.user = user
        self._gateway = gateway
        self.universes = universes
        self._mode = mode
        self._url = stack.urls[gateway]
        self._http = http
        self._history = history
        self._now = asyncio.get_running_loop().time
        self._numbers = itertools.count(1)
        self._asked_at: dict[str, float] = {}
        self._client: LightClient | None = None
        self._name = ""
        self.lives: dict[str, Life] = {}
        self.ready = asyncio.Event()

    async def stay(self) -> None:
        """Be in the rooms, for ever."""
        token = make_token(SECRET, self.user)
        while True:
            self._name = f"{self.user} at {self._gateway + 1}, connection {next(self._numbers)}"
            try:
                client = await LightClient.connect(self._http, self._url, token, self._hear)
            except NotConnected:
                await asyncio.sleep(RETRY_PAUSE_S)
                continue
            self._client = client
            try:
                if await self._join(client):
                    self.ready.set()
                    await client.lost.wait()
                for life in self.lives.values():
                    life.to_the_end = False
                self.lives = {}
            finally:
                self.ready.clear()
                await client.close()

    async def try_out(self, operation: Operation) -> Attempt:
        """Send a command, and record how that went; sent in the order of the calls."""
        if self._client is None:
            raise NotConnected
        via, sent_at = self._name, self._now()
        command, payload = _command(operation.changes)
        answer = await self._client.ask(
            command, universeId=operation.universe, opId=operation.op_id, **payload
        )
        attempt = Attempt(via, sent_at, self._now(), *_outcome(answer))
        operation.attempts.append(attempt)
        return attempt

    async def _join(self, client: LightClient) -> bool:
        for universe in self.universes:
            while universe not in self.lives:
                self._asked_at[universe] = self._now()
                answer = await client.ask("join_room", universeId=universe, mode=self._mode)
                if client.lost.is_set():
                    return False
                if answer is None or not answer["ok"]:
                    await asyncio.sleep(RETRY_PAUSE_S)
                elif universe not in self.lives:
                    raise AssertionError(f"{self._name} joined {universe} and was not told")
        return True

    def _hear(self, name: str, data: Any) -> None:
        universe = data.get("universeId") if isinstance(data, dict) else None
        if name == "room_joined":
            snapshot = Read(
                self._name,
                data["universeId"],
                self._asked_at[data["universeId"]],
                self._now(),
                data["seq"],
                data["parameters"],
                frozenset(participant["userId"] for participant in data["participants"]),
            )
            life = self.lives[data["universeId"]] = Life(snapshot, to_the_end=True)
            self._history.lives.append(life)
        elif universe in self.lives and "seq" in data:
            self.lives[universe].frames.append((name, data))
        elif universe in self.lives and name == "room_error":
            self.lives.pop(universe).to_the_end = False
            # Out of one room, the member begins anew with all of them.
            if self._client is not None:
                self._client.lost.set()


def _command(changes: Changes) -> tuple[str, Mapping[str, Any]]:
    if len(changes) > 1:
        return "update_parameters", dict(changes)
    ((name, values),) = changes.items()
    return f"update_{name}", {"parameters": dict(values)}


def _outcome(answer: dict[str, Any] | None) -> tuple[Outcome, int | None]:
    if answer is None:
        return Outcome.UNKNOWN, None
    if answer["ok"]:
        return Outcome.ACKNOWLEDGED, answer["seq"]
    transient = answer["error"]["code"] in _TRANSIENT
    return (Outcome.UNKNOWN if transient else Outcome.REFUSED), None


class Writer:
    """A user who writes through either gateway, and sends again what was not acknowledged."""

    _numbers = itertools.count(1)

    def __init__(
        self,
        members: Sequence[Member],
        universes: Sequence[str],
        *,
        history: History,
        chance: random.Random,
        pause_s: float,
    ) -> None:
        self._members = members
        self._universes = universes
        self._history = history
        self._chance = chance
        self._pause_s = pause_s
        self._now = asyncio.get_running_loop().time

    async def write(self, until: asyncio.Event) -> None:
        """Write bursts, each after the one before has come to an end."""
        while not until.is_set():
            burst = [self._operation() for _ in range(self._chance.randint(1, MAX_BURST))]
            member = await self._member()
            await asyncio.gather(*(member.try_out(operation) for operation in burst))
            for operation in burst:
                await self._see_through(operation)
            await asyncio.sleep(self._chance.uniform(0, 2 * self._pause_s))

    def _operation(self) -> Operation:
        number = next(self._numbers)
        sets = self._chance.sample(sorted(FIELDS), self._chance.choice((1, 1, 1, 2, 3)))
        changes = {}
        for name in sorted(sets, key=list(FIELDS).index):
            fields = self._chance.sample(sorted(FIELDS[name]), self._chance.randint(1, 2))
            changes[name] = {field: FIELDS[name][field] + number * STEP for field in fields}
        if self._chance.random() < INVALID:
            changes = {"physics": {"friction": 1 + number * STEP}}
        operation = Operation(
            self._members[0].user, self._chance.choice(self._universes), f"op-{number}", changes
        )
        self._history.operations.append(operation)
        return operation

    async def _see_through(self, operation: Operation) -> None:
        ends_at = self._now() + GIVE_UP_S
        while not operation.acknowledged and self._now() < ends_at:
            refusals = sum(item.outcome is Outcome.REFUSED for item in operation.attempts)
            if refusals >= MAX_REFUSALS:
                return
            await asyncio.sleep(RETRY_PAUSE_S if operation.attempts else 0)
            await (await self._member()).try_out(operation)
        if operation.acknowledged and self._chance.random() < REPEATED:
            await (await self._member()).try_out(operation)

    async def _member(self) -> Member:
        """One that is in its rooms now; when there is none, the first that is."""
        members = self._chance.sample(self._members, len(self._members))
        for member in members:
            if member.ready.is_set():
                return member
        waits = [asyncio.ensure_future(member.ready.wait()) for member in members]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return next((member for member in members if member.ready.is_set()), members[0])
