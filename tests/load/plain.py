"""The measure of all: what one would write with python-socketio in an afternoon.

It verifies tokens and checks updates as the product does, and tells a room the same; but it is
one process that keeps everything in memory, stores nothing and limits nobody.
"""

import argparse
import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jwt
import socketio
import uvloop
from aiohttp import web
from pydantic import ValidationError

from harmonic_protocol.messages.parameters import PHYSICS
from harmonic_protocol.messages.rooms import JoinRoom
from harmonic_protocol.values import PhysicsParameters

NAMESPACE = "/ws"


@dataclass
class Universe:
    """What is known of a universe: whoever joins first makes it."""

    physics: PhysicsParameters = field(default_factory=PhysicsParameters)
    participants: dict[str, dict[str, str]] = field(default_factory=dict)
    seq: int = 0

    def next_seq(self) -> int:
        """The number of the next event."""
        self.seq += 1
        return self.seq


class PlainServer(socketio.AsyncNamespace):  # type: ignore[misc]  # python-socketio ships no types
    """The handlers of its one namespace."""

    def __init__(self, secret: str) -> None:
        super().__init__(NAMESPACE)
        self._secret = secret
        self._users: dict[str, str] = {}
        self._universes: dict[str, Universe] = {}

    async def on_connect(self, sid: str, _environ: dict[str, Any], auth: Any) -> None:
        try:
            claims = jwt.decode(
                auth["token"],
                self._secret,
                algorithms=["HS256"],
                leeway=5,
                options={"require": ["exp", "sub"], "verify_aud": False},
            )
        except (jwt.PyJWTError, KeyError, TypeError) as error:
            raise socketio.exceptions.ConnectionRefusedError("Invalid token") from error
        self._users[sid] = claims["sub"]
        await self.emit("connect_success", {"userId": claims["sub"], "timestamp": _now()}, to=sid)

    async def on_join_room(self, sid: str, data: Any) -> None:
        try:
            request = JoinRoom.model_validate(data)
        except ValidationError:
            await self._refuse(sid, "room_error")
            return
        user, universe_id = self._users[sid], request.universe_id
        universe = self._universes.setdefault(universe_id, Universe())
        participant = {"userId": user, "username": user, "mode": request.mode}
        universe.participants[user] = participant
        await self.enter_room(sid, universe_id)
        joined = {"universeId": universe_id, "participant": participant, **_stamp(universe)}
        await self.emit("participant_joined", joined, room=universe_id)
        state = {
            "universeId": universe_id,
            "participants": list(universe.participants.values()),
            "parameters": {"physics": universe.physics.to_wire()},
            "mode": request.mode,
            "timestamp": joined["timestamp"],
            "seq": joined["seq"],
        }
        await self.emit("room_joined", state, to=sid)

    async def on_update_physics(self, sid: str, data: Any) -> None:
        try:
            request = PHYSICS.command.model_validate(data)
        except ValidationError:
            await self._refuse(sid, "error")
            return
        universe_id, user = request.universe_id, self._users[sid]
        universe = self._universes.get(universe_id)
        if universe is None or user not in universe.participants:
            await self._refuse(sid, "error")
            return
        changes = request.changes()["physics"]
        sent = {name: getattr(changes, name) for name in changes.model_fields_set}
        universe.physics = universe.physics.model_copy(update=sent)
        fields = type(changes).model_fields
        updated = {
            "universeId": universe_id,
            "parameters": universe.physics.to_wire(),
            "userId": user,
            "changed": [fields[name].alias or name for name in fields if name in sent],
            **_stamp(universe),
        }
        await self.emit("physics_updated", updated, room=universe_id)

    async def on_disconnect(self, sid: str, _reason: str) -> None:
        self._users.pop(sid, None)

    async def _refuse(self, sid: str, event: str) -> None:
        await self.emit(event, {"code": "INVALID_PARAMETERS"}, to=sid)


def _stamp(universe: Universe) -> dict[str, Any]:
    return {"timestamp": _now(), "seq": universe.next_seq()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def serve(port: int, secret: str, ping_interval_s: int, ping_timeout_s: int) -> None:
    """Serve until a signal ends the process."""
    # WebSockets are compressed where a client offers it, which the benchmark's do not.
    server = socketio.AsyncServer(
        async_mode="aiohttp",
        namespaces=[NAMESPACE],
        http_compression=False,
        ping_interval=ping_interval_s,
        ping_timeout=ping_timeout_s,
    )
    server.register_namespace(PlainServer(secret))
    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(json.dumps({"event": "ready"}), flush=True)  # noqa: T201 -- for the one who started it
    await asyncio.Event().wait()


def main() -> None:
    """Serve on a loopback port."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--ping-interval-s", type=int, required=True)
    parser.add_argument("--ping-timeout-s", type=int, required=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
