"""Who may do what: every command and every call, by role and visibility."""

from collections.abc import Mapping
from typing import Any

import pytest

from harmonic_protocol.catalogue import COMMANDS, OPERATIONS, SIGNALS
from harmonic_protocol.messages.declaration import Grant, RoomCommand
from harness.payloads import ON_NOTHING, payload
from harness.world import World

OK = "ok"
DENIED, HIDDEN, UNKNOWN = "PERMISSION_DENIED", "NOT_FOUND", "AUTH_ERROR"

ROLES = ("owner", "editor", "viewer", "stranger", "nobody")
KINDS = ("public", "private")

#: What a role may be in the room at most; ``None``: it may not know of the universe.
MODES: Mapping[tuple[str, str], str | None] = {
    ("owner", "public"): "edit",
    ("editor", "public"): "edit",
    ("viewer", "public"): "view",
    ("stranger", "public"): "view",
    ("owner", "private"): "edit",
    ("editor", "private"): "edit",
    ("viewer", "private"): "view",
    ("stranger", "private"): None,
}

IN_ROOMS = [name for name, command in COMMANDS.items() if issubclass(command, RoomCommand)]
#: Those that viewing is enough for.
FOR_VIEWERS = {
    *("leave_room", "generate_music"),
    *(name for name, signal in SIGNALS.items() if signal.mode == "view"),
}
BODIES: Mapping[str, dict[str, Any]] = {
    "update_universe": {"maxParticipants": 40},
    "set_member": {"role": "view"},
    "change_parameters": {"physics": {"gravity": 1}},
    "compose_music": {"duration": 1},
}


def expected_of_command(name: str, role: str, kind: str) -> str:
    """The answer to one who joined as far as possible, and then says ``name``."""
    mode = MODES[role, kind]
    if mode is None:
        # The gateway knows nothing of rooms that a connection is not in.
        return DENIED if name in SIGNALS else HIDDEN
    if mode != "edit" and name not in FOR_VIEWERS:
        return DENIED
    return HIDDEN if name in ON_NOTHING else OK


def expected_of_operation(name: str, role: str, kind: str) -> str:
    if role == "nobody":
        return UNKNOWN
    grant = OPERATIONS[name].spec.grant
    if grant is Grant.USER:
        return OK
    if MODES[role, kind] is None:
        return HIDDEN
    if grant is Grant.SERVICE or (role != "owner" and grant is Grant.OWNER):
        return DENIED
    return HIDDEN if name in ON_NOTHING else OK


async def shared(world: World, kind: str) -> tuple[str, dict[str, str]]:
    """A universe with its members, and who plays which role in it."""
    people = {role: world.name(role) for role in ROLES}
    universe = await world.universe(people["owner"], visibility=kind, publicMode="view")
    for role, mode in (("editor", "edit"), ("viewer", "view")):
        path = f"/universes/{universe}/members/{people[role]}"
        status, _ = await world.call("PUT", path, people["owner"], {"role": mode})
        assert status == 200
    return universe, people


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("role", ROLES[:-1])
async def test_every_command_is_answered_as_the_role_has_it(
    world: World, role: str, kind: str
) -> None:
    for name in IN_ROOMS:
        universe, people = await shared(world, kind)
        client = await world.client(people[role])
        mode = MODES[role, kind]
        if mode is not None and name != "join_room":
            assert (await client.asks("join_room", universeId=universe, mode=mode))["ok"]
        answer = await client.asks(name, universeId=universe, **payload(name))
        code = OK if answer["ok"] else answer["error"]["code"]
        assert code == expected_of_command(name, role, kind), name
        if name == "join_room" and mode == "view":
            assert answer["error"]["details"]["allowedMode"] == "view"
        if code == DENIED and mode == "view" and name != "join_room":
            assert answer["error"]["details"]["reason"] == "VIEW_ONLY", name
        await client.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("role", ROLES)
async def test_every_call_is_answered_as_the_role_has_it(
    world: World, role: str, kind: str
) -> None:
    for name, operation in OPERATIONS.items():
        universe, people = await shared(world, kind)
        path = operation.spec.path.replace("{universeId}", universe)
        path = path.replace("{userId}", people["viewer"]).replace("{requestId}", "missing")
        body = {"name": "Mine"} if name == "create_universe" else BODIES.get(name)
        asking = None if role == "nobody" else people[role]
        status, answer = await world.call(operation.spec.method, path, asking, body)
        code = OK if status < 400 else answer["error"]["code"]
        assert code == expected_of_operation(name, role, kind), name
        wanted = {OK: operation.spec.status, DENIED: 403, HIDDEN: 404, UNKNOWN: 401}[code]
        assert status == wanted, name


def without_ids(answer: Any, universe: str) -> str:
    """An answer as text, with what is bound to differ taken out."""
    details = answer["error"]["details"] if "error" in answer else answer["details"]
    details.pop("errorId")
    return str(answer).replace(universe, "ID")


async def test_a_private_universe_cannot_be_told_from_one_that_is_not_there(
    world: World,
) -> None:
    private = await world.universe(visibility="private")
    missing = world.name("missing")
    stranger = await world.client(world.name("stranger"))
    for name in IN_ROOMS:
        answers = []
        for universe in (private, missing):
            answer = await stranger.asks(name, universeId=universe, **payload(name))
            event = "room_error" if name.endswith("_room") else "error"
            told = await stranger.hears(event)
            told["details"].pop("errorId")
            answers.append((without_ids(answer, universe), str(told).replace(universe, "ID")))
        assert answers[0] == answers[1], name
    for name, operation in OPERATIONS.items():
        if "{universeId}" not in operation.spec.path:
            continue
        texts = []
        for universe in (private, missing):
            path = operation.spec.path.replace("{universeId}", universe)
            path = path.replace("{userId}", "x").replace("{requestId}", "x")
            body = BODIES.get(name)
            status, answer = await world.call(operation.spec.method, path, stranger.user, body)
            texts.append((status, without_ids(answer, universe)))
        assert texts[0] == texts[1], name
    _, page = await world.call("GET", "/universes?limit=100", stranger.user)
    assert private not in {item["id"] for item in page["items"]}
