"""A universe whose store is damaged, those who are in it, and what is expected of it after.

Every update has a value of its own, one above the last: so a value tells which updates are known.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from socketio.exceptions import ConnectionError as ConnectionRefused
from socketio.exceptions import SocketIOError

from harness.client import Client
from harness.waiting import POLL_S, until
from harness.wire import Wire
from harness.world import World

#: How long a universe may take to answer again, an election of its stream's leader included.
AGAIN_S = 60.0
#: How soon members and a new reader agree.
AGREED_S = 5.0
#: By how much the numbers of frames rise at least where some were lost.
JUMP = 1_000_000
FIRST_VALUE = 100
#: Updates after which a log has outgrown the offset of any client that was away.
OUTGROWN = 25
MEMBERS = 2
#: What counts losses, in owners and in gateways.
COUNTERS = ("harmonic_histories_lost_total ", "harmonic_rooms_lost_total ")


@dataclass(frozen=True)
class Expected:
    """What the damage may have cost.

    ``intact`` is the newest value that a store or an owner that lives has. A universe is
    ``beyond_help`` of which nobody has a snapshot or the beginning. ``witnessed`` says that a
    service lives that knows how far the universe had come.
    """

    intact: int
    beyond_help: bool
    witnessed: bool
    outgrows: bool


class Case:
    """A universe with two members and a client that goes away; ``faults`` is what went wrong."""

    def __init__(self, world: World, universe: str, stream: str, damage: str) -> None:
        self.universe, self.stream, self.damage = universe, stream, damage
        self.faults: list[str] = []
        self.is_refused = False
        #: Refused until the broker is restarted, which does not show what it has stored.
        self.is_hidden = False
        #: How many updates that were acknowledged the universe did not know after the damage.
        self.lost = 0
        self._value = FIRST_VALUE
        #: The values that were acknowledged, by the numbers of their frames.
        self.acknowledged: dict[int, int] = {}
        #: Those of them that the universe knew after the damage.
        self.survived: dict[int, int] = {}
        self._world = world
        self._members: list[Client] = []
        self._away: Wire | None = None
        self._away_seq = 0

    def __str__(self) -> str:
        return f"{self.universe} in {self.stream}, {self.damage}, {self.lost} lost"

    @property
    def last(self) -> int:
        """The newest value that was acknowledged."""
        return max(self.acknowledged.values(), default=FIRST_VALUE)

    # Before.

    async def begin(self) -> None:
        """Create it, and join it."""
        asked = {"id": self.universe, "name": "A", "visibility": "public", "publicMode": "edit"}

        async def is_made() -> bool:
            status, _ = await self._world.call("POST", "/universes", "owner", asked)
            # An earlier call may have made it after all: then its id is taken.
            return status in {201, 409}

        await until(is_made, AGAIN_S)
        self._members = [await self._joined(number) for number in range(MEMBERS)]
        await self._play()

    async def watch(self) -> None:
        """Have a client join that goes away later."""
        user = self._world.name("away")

        async def is_there() -> bool:
            return bool(await self._read())

        await until(is_there, AGAIN_S)
        away = await _opened(lambda: Wire.open(self._world, user, agent=self.universe))

        async def is_in() -> bool:
            # It may be refused for the moment: brokers elect leaders after they have started.
            return await away.is_let_into(self.universe)

        await until(is_in, AGAIN_S)
        self._away = away

    async def write(self, times: int) -> None:
        """Have so many updates acknowledged, by the members in turn."""
        for number in range(times):
            self._value = value = self._value + 1
            seq: list[int] = []

            async def is_stored(value: int = value, by: int = number % MEMBERS) -> bool:
                seq.extend(await self._update(by, value))  # noqa: B023 -- awaited in this turn
                return bool(seq)  # noqa: B023

            await until(is_stored, AGAIN_S)
            if self.acknowledged.get(seq[0], value) != value:
                self.faults.append(f"the number {seq[0]} came twice")
            self.acknowledged[seq[0]] = value

    async def go_away(self) -> None:
        """Have the client hear everything, and lose its connection."""
        away = self._there()
        while self._away_seq < max(self.acknowledged):
            _, data = await away.hears()
            self._away_seq = max(self._away_seq, data.get("seq", 0))
        away.cut()

    # After.

    async def look(self, expected: Expected) -> None:
        """See what has become of it, and go on."""
        try:
            before = self._value
            if not await self._answers(expected):
                return
            if not expected.witnessed:
                # The numbers of what only clients know may come again.
                self.acknowledged = dict(self.survived)
            self._members = [await self._joined(number) for number in range(MEMBERS)]
            # Enough that a log has outgrown the offset of the client that is away.
            await self.write(OUTGROWN if expected.outgrows else 2)
            await self._agree()
            await self._play()
            written = {seq for seq, value in self.acknowledged.items() if value > before}
            await self._return(written)
        except (TimeoutError, AssertionError, SocketIOError) as error:
            step = traceback.extract_tb(error.__traceback__)[:2][-1].name
            self.faults.append(f"{step}: {type(error).__name__} {error}")

    async def _answers(self, expected: Expected) -> bool:
        """Whether it answers again; else it is refused for a good reason."""
        found: dict[str, Any] = {}

        async def is_settled() -> bool:
            status, body = await self._get()
            error = body.get("error", {})
            reason = error.get("details", {}).get("reason")
            self.is_refused, self.is_hidden = reason == "DAMAGED", reason == "STORAGE_UNREADABLE"
            found.update(body)
            return status == 200 or self.is_refused or self.is_hidden

        await until(is_settled, AGAIN_S)
        if self.is_hidden:
            return False
        if self.is_refused:
            if not expected.beyond_help:
                self.faults.append("refused, though something is left of it")
            return False
        value = _value(found)
        if value < expected.intact:
            self.faults.append(f"{value}, though {expected.intact} is intact in a store")
        self.survived = {seq: each for seq, each in self.acknowledged.items() if each <= value}
        self.lost = len(self.acknowledged) - len(self.survived)
        if self.lost and expected.witnessed:
            await until(self._is_loss_logged, AGAIN_S)
            await until(self._is_loss_counted, AGAIN_S)
        return True

    async def _play(self) -> None:
        """Have it play an endless piece, if it plays none any more; hear a bar."""

        async def does_play() -> bool:
            ack = await self._ask(0, "start_music")
            if ack["ok"] or ack["error"]["details"].get("reason") == "PLAYING":
                return True
            if self._members[0].gone.is_set():
                self._members[0] = await self._joined(0)
            # It counts as a piece, of which a user may have few.
            await asyncio.sleep(ack["error"]["details"].get("retryAfterMs", 500) / 1000)
            return False

        await until(does_play, AGAIN_S)
        known = len(self._members[0].all_heard("music_bar"))

        async def is_heard() -> bool:
            if self._members[0].gone.is_set():
                self._members[0] = await self._joined(0)
            return len(self._members[0].all_heard("music_bar")) > known

        await until(is_heard, AGAIN_S)

    async def _is_loss_logged(self) -> bool:
        lines = self._world.logs().splitlines()
        words = ("history_lost", "log_trimmed")
        return any(self.universe in line and any(w in line for w in words) for line in lines)

    async def _is_loss_counted(self) -> bool:
        """Whether some process counts a loss: of whichever universe, since counters name none."""
        for url in self._world.stack.ops_urls.values():
            with suppress(aiohttp.ClientError):
                async with self._world.http.get(f"{url}/metrics") as response:
                    lines = (await response.text()).splitlines()
                counted = (line for line in lines if line.startswith(COUNTERS))
                if any(float(line.rpartition(" ")[2]) for line in counted):
                    return True
        return False

    async def _agree(self) -> None:
        """All members, and one who reads now, see the same within their time."""
        value = self.acknowledged[max(self.acknowledged)]

        async def do_all() -> bool:
            for number, member in enumerate(self._members):
                if member.gone.is_set():
                    # It begins anew, as its client would by itself.
                    self._members[number] = await self._joined(number)
                elif not await self._shows(member, value):
                    return False
            return await self._read() == value

        await until(do_all, AGREED_S)

    async def _shows(self, member: Client, value: int) -> bool:
        heard = member.all_heard("visualization_updated")
        if heard:
            return bool(heard[-1]["parameters"]["particleCount"] == value)
        # It has joined since.
        return _value(member.all_heard("room_joined")[-1]) == value

    async def _return(self, written: set[int]) -> None:
        """The client that was away is told what it missed, or that it begins anew."""
        back = await _opened(lambda: self._there().again(self._world))
        told = await back.until("state_recovered") if back.recovered else []
        back.cut()
        if not back.recovered:
            return
        missed = [
            (data["seq"], data["parameters"]["particleCount"])
            for name, data in told
            if name == "visualization_updated" and data.get("replayed")
        ]
        known = {**self.survived, **{seq: self.acknowledged[seq] for seq in written}}
        expected = sorted((seq, value) for seq, value in known.items() if seq > self._away_seq)
        if missed != expected:
            self.faults.append(f"was told {missed} of {expected} after {self._away_seq}")
        has_lost = self._away_seq not in self.survived
        if has_lost or min(written, default=0) - self._away_seq > JUMP:
            self.faults.append("was told that it recovered, after a loss")

    # How it is done.

    def _there(self) -> Wire:
        assert self._away is not None
        return self._away

    async def _joined(self, gateway: int) -> Client:
        joined: list[Client] = []

        async def is_in() -> bool:
            with suppress(ConnectionRefused, SocketIOError):
                client = await self._world.client(self._world.name("member"), gateway=gateway)
                ack = await client.asks("join_room", universeId=self.universe, mode="edit")
                if ack["ok"]:
                    joined.append(client)
                else:
                    await client.close()
            return bool(joined)

        await until(is_in, AGAIN_S)
        return joined[0]

    async def _update(self, by: int, value: int) -> list[int]:
        """The number of an update's frame; none if it has to be sent again."""
        ack = await self._ask(
            by,
            "update_visualization",
            opId=f"{self.universe}-{value}",
            parameters={"particleCount": value},
        )
        if ack["ok"]:
            return [int(ack["seq"])]
        if ack["error"]["code"] != "INTERNAL_ERROR":
            self._members[by] = await self._joined(by)
        await asyncio.sleep(POLL_S)
        return []

    async def _ask(self, by: int, command: str, **fields: Any) -> dict[str, Any]:
        """A member's command: its ack, or that the member is gone."""
        member = self._members[by]
        asked = asyncio.ensure_future(member.asks(command, universeId=self.universe, **fields))
        gone = asyncio.ensure_future(member.gone.wait())
        await asyncio.wait({asked, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not asked.done():
            asked.cancel()
        ack: dict[str, Any] = {"ok": False, "error": {"code": "GONE", "details": {}}}
        with suppress(SocketIOError, asyncio.CancelledError):
            ack = await asked
        return ack

    async def _get(self) -> tuple[int, dict[str, Any]]:
        with suppress(aiohttp.ClientError):
            status, body = await self._world.call("GET", f"/universes/{self.universe}", "late")
            return status, body if isinstance(body, dict) else {}
        return 0, {}

    async def _read(self) -> int:
        status, body = await self._get()
        return _value(body) if status == 200 else 0


async def _opened(open_wire: Callable[[], Awaitable[Wire]]) -> Wire:
    """A connection, once gateways take some."""
    opened: list[Wire] = []

    async def is_open() -> bool:
        with suppress(aiohttp.ClientError, AssertionError, TypeError):
            opened.append(await open_wire())
        return bool(opened)

    await until(is_open, AGAIN_S)
    return opened[0]


def _value(universe: Mapping[str, Any]) -> int:
    return int(universe["parameters"]["visualization"]["particleCount"])


@dataclass
class Outcome:
    """What came of a round: ``put_back`` if the broker did not start with the damaged stores.

    ``hidden`` is of how many universes it did not show what it had stored, until it was restarted.
    """

    cases: list[Case] = field(default_factory=list)
    put_back: bool = False
    hidden: int = 0
    died: list[str] = field(default_factory=list)
