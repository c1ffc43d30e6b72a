"""Packets of a session whose commands are to be refused."""

import json

import pytest

from harmonic_test_kit.script import Script, ScriptedSession

EVENT = '42/ws,7["update_physics",{"universeId":"u","parameters":{}}]'


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def session(script: Script) -> ScriptedSession:
    return ScriptedSession(script)


@pytest.mark.parametrize(
    "packet",
    [
        *("2", "3probe", "40/ws,{}", "41/ws,", "43/ws,1[{}]", EVENT, '451-/ws,["a",{}]', ""),
        # The gateway is to refuse these itself.
        *(
            "42/ws,",
            "42/ws,[",
            "42/ws,[]",
            "42/ws,{}",
            "42/ws,[7]",
            "42/ws,[[]]",
            f"42{'[' * 9000}",
        ),
    ],
)
def test_packets_pass_as_they_are(session: ScriptedSession, packet: str) -> None:
    assert session.to_gateway(packet) == packet
    assert session.to_client(packet) == [packet]


def test_a_refused_command_is_told_by_its_event_and_its_ack(
    script: Script, session: ScriptedSession
) -> None:
    script.refuse("update_physics", "PERMISSION_DENIED", reason="VIEW_ONLY", message="No")

    assert session.to_gateway(EVENT) == '42/ws,7["time_sync",{"t0":0}]'
    event, ack = session.to_client('43/ws,7[{"t0":0,"t1":1,"t2":2}]')

    error = {
        "code": "PERMISSION_DENIED",
        "details": {"reason": "VIEW_ONLY", "event": "update_physics", "universeId": "u"},
        "message": "No",
    }
    assert event == f"42/ws,{json.dumps(['error', error], separators=(',', ':'))}"
    assert json.loads(ack.removeprefix("43/ws,7")) == [{"ok": False, "error": error}]
    assert session.to_gateway(EVENT) == EVENT


def test_without_an_ack_the_event_alone_tells_it(script: Script, session: ScriptedSession) -> None:
    script.refuse("leave_room", "RATE_LIMITED", retry_after_ms=9)

    asked = session.to_gateway('42["leave_room",{"universeId":"u"}]')
    number = asked.removeprefix("42").partition("[")[0]
    (event,) = session.to_client(f"43{number}[{{}}]")

    name, payload = json.loads(event.removeprefix("42"))
    assert (name, payload["universeId"]) == ("room_error", "u")
    assert payload["details"] == {"retryAfterMs": 9, "event": "leave_room", "universeId": "u"}


def test_a_connection_is_refused_in_its_namespace(script: Script, session: ScriptedSession) -> None:
    script.refuse("connect", "AUTH_ERROR", reason="EXPIRED")

    assert session.to_gateway('40/ws,{"token":"good"}') == '40/ws,{"token":"refused"}'
    (told,) = session.to_client('44/ws,{"message":"Invalid token"}')

    assert json.loads(told.removeprefix("44/ws,")) == {
        "message": "The token has expired.",
        "data": {
            "error": "The token has expired.",
            "code": "AUTH_ERROR",
            "details": {"reason": "EXPIRED"},
        },
    }
    assert session.to_gateway("40/ws,{}") == "40/ws,{}"


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [("fly", "NOT_FOUND", None), ("connect", "FLY", None), ("connect", "AUTH_ERROR", "FLY")],
)
def test_only_what_the_protocol_knows_can_be_told(
    script: Script, command: str, code: str, reason: str | None
) -> None:
    with pytest.raises(ValueError, match=r"(?i)fly"):
        script.refuse(command, code, reason=reason)


def test_what_is_cleared_passes(script: Script, session: ScriptedSession) -> None:
    script.refuse("update_physics", "RATE_LIMITED", times=3)
    session.to_gateway(EVENT)
    script.clear()

    assert session.to_gateway(EVENT) == EVENT
