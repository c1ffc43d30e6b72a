"""Scripted refusals: which packets of a session are refused, and what the client is told. Pure.

A command that is to be refused is replaced by a harmless ``time_sync``, and the gateway's answer
is replaced by the refusal. So a refusal comes in its turn, on every transport.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harmonic_protocol.catalogue import COMMANDS
from harmonic_protocol.messages.declaration import Failure
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code

#: In place of a command, for the refusal of a connection.
CONNECT = "connect"
#: Acks that nobody asked for begin here: no client counts so far.
_FIRST_OWN_ACK = 2**31
# Packets of Socket.IO in messages of Engine.IO ("4"): the namespace, the ack's number, the payload.
_PACKET = re.compile(
    r"4(?P<kind>[0234])(?P<namespace>/[^,]*,)?(?P<ack>\d+)?(?P<payload>.*)", re.DOTALL
)
_CONNECT, _EVENT, _ACK, _CONNECT_ERROR = "0", "2", "3", "4"


@dataclass(frozen=True)
class Refusal:
    """What a client is told."""

    code: Code
    message: str
    details: Mapping[str, Any]


@dataclass
class Script:
    """The refusals to come, by the names of commands. Shared by all sessions."""

    _waiting: dict[str, list[Refusal]] = field(default_factory=dict)

    def refuse(
        self,
        command: str,
        code: str,
        *,
        reason: str | None = None,
        message: str | None = None,
        retry_after_ms: int | None = None,
        times: int = 1,
    ) -> None:
        """Refuse the next ``times`` of a command, or connections; raise ``ValueError``.

        It is raised for a command, a code or a reason that the protocol does not know.
        """
        if command != CONNECT and command not in COMMANDS:
            raise ValueError(f"there is no command {command}")
        if reason is not None and reason not in Reason.__members__:
            raise ValueError(f"there is no reason {reason}")
        known = None if reason is None else Reason[reason]
        details = {"reason": reason, "retryAfterMs": retry_after_ms}
        refusal = Refusal(
            Code(code),
            message or (known.meaning if known else f"Refused with {code}"),
            {name: value for name, value in details.items() if value is not None},
        )
        self._waiting.setdefault(command, []).extend([refusal] * times)

    def clear(self) -> None:
        """Refuse nothing more."""
        self._waiting.clear()

    def take(self, command: str) -> Refusal | None:
        """The refusal of this command, if it is to be refused."""
        waiting = self._waiting.get(command)
        return waiting.pop(0) if waiting else None


@dataclass
class _Refused:
    """A command that the gateway does not see."""

    refusal: Refusal
    command: str
    payload: Mapping[str, Any]
    acknowledged: bool


class ScriptedSession:
    """One session's packets, changed where a refusal is scripted."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._next_ack = _FIRST_OWN_ACK
        self._by_ack: dict[tuple[str, int], _Refused] = {}
        self._connects: dict[str, Refusal] = {}

    def to_gateway(self, packet: str) -> str:
        """A packet of the client as the gateway hears it."""
        match = _PACKET.fullmatch(packet)
        if match is None:
            return packet
        namespace = match["namespace"] or ""
        if match["kind"] == _CONNECT:
            refusal = self._script.take(CONNECT)
            if refusal is None:
                return packet
            self._connects[namespace] = refusal
            return f'40{namespace}{{"token":"refused"}}'
        if match["kind"] != _EVENT:
            return packet
        command, *arguments = _event_of(match["payload"])
        refusal = self._script.take(command)
        if refusal is None:
            return packet
        number = int(match["ack"]) if match["ack"] else self._own_ack()
        payload = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
        refused = _Refused(refusal, command, payload, acknowledged=bool(match["ack"]))
        self._by_ack[namespace, number] = refused
        return f'42{namespace}{number}["time_sync",{{"t0":0}}]'

    def to_client(self, packet: str) -> list[str]:
        """A packet of the gateway as the client hears it."""
        match = _PACKET.fullmatch(packet)
        if match is None:
            return [packet]
        namespace = match["namespace"] or ""
        if match["kind"] in (_CONNECT, _CONNECT_ERROR) and namespace in self._connects:
            return [_connect_error(namespace, self._connects.pop(namespace))]
        if match["kind"] != _ACK:
            return [packet]
        refused = self._by_ack.pop((namespace, int(match["ack"])), None)
        if refused is None:
            return [packet]
        told = _event(namespace, refused)
        if not refused.acknowledged:
            return [told]
        answer = _json([{"ok": False, "error": _error(refused)}])
        return [told, f"43{namespace}{match['ack']}{answer}"]

    def _own_ack(self) -> int:
        self._next_ack += 1
        return self._next_ack


def _event_of(payload: str) -> list[Any]:
    """An event's name and arguments; no name for anything else, which the gateway refuses."""
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        said = None
    return said if isinstance(said, list) and said and isinstance(said[0], str) else [""]


def _connect_error(namespace: str, refusal: Refusal) -> str:
    details = dict(refusal.details)
    data = {"error": refusal.message, "code": refusal.code.value, "details": details}
    return f"44{namespace}{_json({'message': refusal.message, 'data': data})}"


def _error(refused: _Refused) -> dict[str, Any]:
    named = {name: refused.payload.get(name) for name in ("universeId", "opId")}
    given = {name: value for name, value in named.items() if value is not None}
    details = {**refused.refusal.details, "event": refused.command, **given}
    refusal = refused.refusal
    return {"code": refusal.code.value, "details": details, "message": refusal.message}


def _event(namespace: str, refused: _Refused) -> str:
    payload = _error(refused)
    failure = COMMANDS[refused.command].spec.failure
    if failure is Failure.ROOM_ERROR:
        universe = {"universeId": refused.payload.get("universeId")}
        payload = {"error": refused.refusal.message, **payload, **universe}
    return f"42{namespace}{_json([failure.value, payload])}"


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
