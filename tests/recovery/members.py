"""Members of rooms with the official JavaScript client, all in one Node process."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.javascript import Bridge

_MODULE = Path(__file__).with_name("members.mjs").as_uri()
#: Notes that are handed over in one line.
NOTES_AT_ONCE = 5000
POLL_S = 0.1


@dataclass(frozen=True)
class Member:
    """A client that is to be in some rooms; ``options`` are those of ``io``.

    If it ``rejoins``, it joins them itself when it is told that it begins anew.
    """

    name: str
    token: str
    universes: Sequence[str]
    options: dict[str, Any] = field(default_factory=dict)
    rejoins: bool = True


class Members:
    """All members of one Node process."""

    def __init__(self, bridge: Bridge, url: str, version: str = "4.8.4") -> None:
        self.members: list[Member] = []
        self._bridge = bridge
        self._url = url
        self._version = version

    async def open(self, member: Member) -> None:
        """Let a member connect; it comes when it comes."""
        self.members.append(member)
        said = {
            "name": member.name,
            "url": self._url,
            "token": member.token,
            "universes": member.universes,
            "rejoins": member.rejoins,
            "options": member.options,
        }
        await self._run(f"members.open(io, {json.dumps(said)})")

    async def progress(self) -> dict[str, dict[str, int] | None]:
        """How far each has come in its rooms; ``None`` while it is not connected."""
        found: dict[str, dict[str, int] | None] = await self._run("members.progress()")
        return found

    async def pids(self) -> dict[str, str]:
        """The secrets that they would come back with."""
        found: dict[str, str] = await self._run("members.pids()")
        return found

    async def previews(self) -> int:
        """How many previews all of them were shown."""
        found: int = await self._run("members.previews()")
        return found

    async def connects(self) -> dict[str, int | None]:
        """How often each was connected; ``None`` while it is not."""
        found: dict[str, int | None] = await self._run("members.connects()")
        return found

    async def all_there(self, timeout_s: float, *, beyond: dict[str, int | None]) -> None:
        """Return when every member is connected, and those were once more that are given."""
        async with asyncio.timeout(timeout_s):
            while True:
                known = await self.connects()
                if all(times is not None for times in known.values()) and all(
                    (known[name] or 0) > (times or 0) for name, times in beyond.items()
                ):
                    return
                await asyncio.sleep(POLL_S)

    async def wait_for(self, ends: dict[str, int], timeout_s: float) -> list[str]:
        """Return when all have come to the ends of their rooms' logs; who has not in time."""
        late: list[str] = []
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    known = await self.progress()
                    late = [
                        member.name
                        for member in self.members
                        if not _has_come(known[member.name], member.universes, ends)
                    ]
                    if not late:
                        return []
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            return late

    async def notes(self, member: Member) -> list[list[Any]]:
        """All that a member noted."""
        found: list[list[Any]] = []
        while True:
            call = f"members.notes({json.dumps(member.name)}, {len(found)}, {NOTES_AT_ONCE})"
            part = await self._run(call)
            found.extend(part)
            if len(part) < NOTES_AT_ONCE:
                return found

    async def values(self, member: Member) -> dict[str, Any]:
        """The parameters of its rooms, as a member knows them."""
        found: dict[str, Any] = await self._run(f"members.values({json.dumps(member.name)})")
        return found

    async def close(self) -> None:
        """Let all go."""
        await self._run("members.close()")

    async def _run(self, call: str) -> Any:
        code = f"const members = await import('{_MODULE}'); return {call};"
        return await self._bridge.run(0, self._version, code)


def _has_come(known: dict[str, int] | None, universes: Sequence[str], ends: dict[str, int]) -> bool:
    return known is not None and all(known.get(name, 0) >= ends[name] for name in universes)
