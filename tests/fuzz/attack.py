"""Carrying hostile conversations out, and noticing what must not be answered."""

import asyncio
import json
import os
import re
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from fuzz.conversations import Conversation, conversations
from fuzz.packets import frame
from fuzz.payloads import ROOM

#: Conversations that go on at the same time.
CONVERSATIONS_AT_ONCE = 24
#: An answer that does not come by then is not waited for: silence is the answer to some things.
ANSWER_TIMEOUT_S = 0.5
#: Who begins properly is let in, however busy the machine is.
OPENING_TIMEOUT_S = 20.0
#: What one conversation reads at most.
MAX_READ_BYTES = 4 * 1024 * 1024
#: How a slow reader reads: the bytes of a read, the number of reads, and the pause between them.
SIP_BYTES, SIPS, SIP_PAUSE_S = 512, 10, 0.05
_READ_LIMIT = 65_536
#: The attacker is elsewhere: it takes what the product leaves of this machine's processors.
NICENESS = 19
#: Sessions of which it is remembered how to come back.
MAX_PIDS = 50

_LAST_ACK = "987654321"
_LAST_WORD = f'42/ws,{_LAST_ACK}["time_sync",{{"t0":1}}]'
_ANSWERED = f"43/ws,{_LAST_ACK}".encode()
_JOIN = f'42/ws,["join_room",{{"universeId":"{ROOM}","mode":"edit"}}]'
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_RETRY_AFTER = b"retry-after:"
_PID = re.compile(rb'"pid":"([^"]{20,})"')
_SID = re.compile(rb'"sid":"([^"]+)"')
_FORBIDDEN = (
    *(b'"code":"INTERNAL_ERROR"', b'"code": "INTERNAL_ERROR"', b"Internal Server Error"),
    *(b"Traceback", b'File "'),
)
_POLL = "/socket.io/?EIO=4&transport=polling"
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Plan:
    """So many inputs from a seed, at most so many a second, at a gateway.

    With ``returns``, clients come back to where others of their user were. In ``peace``, inputs are
    made and not sent, and ``cpu_s`` seconds of CPU are burnt for each, all in all: what it takes to
    make and send them on the same machine is no fault of the product.
    """

    port: int
    seed: int
    inputs: int
    inputs_per_s: float
    tokens: Sequence[str]
    services: Sequence[str] = ()
    returns: bool = False
    peace: bool = False
    cpu_s: float = 0.0


@dataclass
class Tally:
    """What was sent and what came of it. ``findings`` tell of answers that must not be.

    ``cpu_s`` is what making and sending took of the attacker's own CPU.
    """

    inputs: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_s: float = 0.0

    @property
    def cpu_s_each(self) -> float:
        """The attacker's CPU seconds for an input."""
        return self.cpu_s / self.inputs.total() if self.inputs else 0.0

    def add(self, other: "Tally") -> None:
        """Count another's in."""
        self.inputs += other.inputs
        self.statuses += other.statuses
        self.findings += other.findings
        self.seconds += other.seconds
        self.cpu_s += other.cpu_s


def be_nice() -> None:
    """Let everything else go first."""
    os.nice(NICENESS)


def _burn_until(cpu_s: float) -> None:
    """Keep a processor busy until this process has taken so many seconds of it."""
    while time.process_time() < cpu_s:
        pass


def attack(plan: Plan) -> Tally:
    """Carry a plan out."""
    return asyncio.run(_Attacker(plan).carry_out())


class _Attacker:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._tally = Tally()
        self._pids: deque[bytes] = deque(maxlen=MAX_PIDS)

    async def carry_out(self) -> Tally:
        plan, tally = self._plan, self._tally
        began_at_s, began_cpu_s = time.monotonic(), time.process_time()
        sent = 0
        places = asyncio.Semaphore(CONVERSATIONS_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            made = conversations(plan.seed, plan.tokens, plan.services, returns=plan.returns)
            for number, conversation in enumerate(made):
                if sent >= plan.inputs:
                    break
                sent += len(conversation.steps)
                early_s = began_at_s + sent / plan.inputs_per_s - time.monotonic()
                await asyncio.sleep(max(early_s, 0))
                if plan.peace:
                    _burn_until(began_cpu_s + sent * plan.cpu_s)
                    continue
                tally.inputs[conversation.kind] += len(conversation.steps)
                await places.acquire()
                task = group.create_task(self._converse(conversation, number))
                task.add_done_callback(lambda _: places.release())
        if not plan.peace:
            tally.seconds = time.monotonic() - began_at_s
            tally.cpu_s = time.process_time() - began_cpu_s
        return tally

    async def _converse(self, conversation: Conversation, number: int) -> None:
        token = self._plan.tokens[number % len(self._plan.tokens)]
        with suppress(OSError, asyncio.IncompleteReadError):
            match conversation.kind:
                case "websocket":
                    await self._websocket(conversation, token)
                case "polling":
                    await self._polling(conversation, token)
                case "stream":
                    await self._stream(conversation)
                case _:
                    await self._request(conversation.steps[0], conversation)

    async def _websocket(self, conversation: Conversation, token: str) -> None:
        async with _Wire(self._plan.port, resets=conversation.resets) as wire:
            wire.write(_upgrade("/socket.io/?EIO=4&transport=websocket"))
            head = await wire.read_until(b"\r\n\r\n", OPENING_TIMEOUT_S)
            if not head.startswith(b"HTTP/1.1 101"):
                self._tally.findings.append(f"a plain WebSocket is not let in: {head[:200]!r}")
                return
            if conversation.auth is not None:
                wire.write(frame(self._connect(conversation.auth, token)))
            if conversation.joins:
                wire.write(frame(_JOIN.encode()))
            for step in conversation.steps:
                wire.write(step)
            wire.write(frame(_LAST_WORD.encode()))
            seen = await wire.read_until(_ANSWERED)
            self._pids.extend(match[1] for match in _PID.finditer(seen))
            answered = "answered" if _ANSWERED in seen else "closed" if wire.ended else "silent"
            self._tally.statuses[f"websocket {answered}"] += 1
            self._look(seen, conversation)

    async def _polling(self, conversation: Conversation, token: str) -> None:
        opening = await self._request(_http("GET", _POLL), conversation, OPENING_TIMEOUT_S)
        found = _SID.search(opening)
        if found is None:
            self._tally.findings.append(f"a plain poll is not let in: {opening[:200]!r}")
            return
        target = f"{_POLL}&sid={found[1].decode()}"
        bodies = list(conversation.steps)
        if conversation.joins:
            bodies.insert(0, _JOIN.encode())
        if conversation.auth is not None:
            bodies.insert(0, self._connect(conversation.auth, token))
        for number, body in enumerate(bodies):
            seen = await self._request(_http("POST", target, body), conversation)
            if b" 400 " in seen[:20] and number > 2:
                break
            if number % 3 == 1:
                await self._request(_http("GET", target), conversation)
        if conversation.resets:
            await self._request(_http("POST", target, b"1"), conversation)
        else:
            await self._request(_upgrade(f"{target}".replace("polling", "websocket")), conversation)

    async def _stream(self, conversation: Conversation) -> None:
        """Follow a stream, and hardly read it."""
        (data,) = conversation.steps
        async with _Wire(
            self._plan.port, resets=conversation.resets, receive_bytes=SIP_BYTES
        ) as wire:
            wire.write(data)
            seen = await wire.sip()
        self._judge(seen, wire, conversation, data)

    async def _request(
        self, data: bytes, conversation: Conversation, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> bytes:
        async with _Wire(self._plan.port, resets=conversation.resets) as wire:
            wire.write(data)
            seen = await wire.read_until(None, timeout_s)
        self._judge(seen, wire, conversation, data)
        return seen

    def _judge(self, seen: bytes, wire: "_Wire", conversation: Conversation, data: bytes) -> None:
        for status in _STATUS.findall(seen):
            self._tally.statuses[f"HTTP {status.decode()}"] += 1
            unavailable = status == b"503" and _RETRY_AFTER in seen.lower()
            if status.startswith(b"5") and not unavailable:
                self._find(f"HTTP {status.decode()}", seen, conversation, data)
        if not _STATUS.search(seen):
            self._tally.statuses[f"HTTP {'closed' if wire.ended else 'silent'}"] += 1
        self._look(seen, conversation, data)

    def _connect(self, auth: str, token: str) -> bytes:
        rest = auth[1:] if len(auth) == 2 else f",{auth[1:]}"
        said = f'40/ws,{{"token":{json.dumps(token)}{rest}'.encode(errors="surrogatepass")
        return said.replace(b'"PID"', b'"%s"' % self._pids[-1] if self._pids else b'"PID"')

    def _look(self, seen: bytes, conversation: Conversation, data: bytes = b"") -> None:
        for word in _FORBIDDEN:
            if word in seen:
                self._find(word.decode(), seen, conversation, data)

    def _find(self, what: str, seen: bytes, conversation: Conversation, data: bytes) -> None:
        kind, steps = conversation.kind, [step[:300] for step in conversation.steps]
        auth = f" after {conversation.auth[:300]}" if conversation.auth else ""
        self._tally.findings.append(
            f"{what} in {seen[-600:]!r}\n  to {data[:600]!r}\n  of {kind} {steps}{auth}"
        )


class _Wire:
    """A connection on which bytes go as they are."""

    def __init__(self, port: int, *, resets: bool, receive_bytes: int = 0) -> None:
        self._port = port
        self._resets = resets
        self._receive_bytes = receive_bytes
        self.ended = False

    async def __aenter__(self) -> Self:
        kernel = socket.socket()
        kernel.setblocking(False)
        if self._receive_bytes:
            kernel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_bytes)
        try:
            await asyncio.get_running_loop().sock_connect(kernel, ("127.0.0.1", self._port))
        except OSError:
            kernel.close()
            raise
        limit = self._receive_bytes or _READ_LIMIT
        self._reader, self._writer = await asyncio.open_connection(sock=kernel, limit=limit)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._resets:
            kernel = self._writer.get_extra_info("socket")
            kernel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._writer.transport.abort()
        self._writer.close()

    def write(self, data: bytes) -> None:
        """Send bytes, unless the other side is gone."""
        if not self._writer.is_closing():
            self._writer.write(data)

    async def sip(self) -> bytes:
        """Read a little now and then, and then no more."""
        seen = bytearray()
        with suppress(TimeoutError, ConnectionError):
            for _ in range(SIPS):
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    data = await self._reader.read(SIP_BYTES)
                seen += data
                if not data:
                    self.ended = True
                    break
                await asyncio.sleep(SIP_PAUSE_S)
        return bytes(seen)

    async def read_until(self, sign: bytes | None, timeout_s: float = ANSWER_TIMEOUT_S) -> bytes:
        """All that comes up to a sign, the end, or the end of patience."""
        seen = bytearray()
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(timeout_s):
                while len(seen) < MAX_READ_BYTES:
                    data = await self._reader.read(65_536)
                    seen += data
                    if not data:
                        self.ended = True
                        break
                    if sign is not None and sign in seen:
                        break
        return bytes(seen)


def _upgrade(target: str) -> bytes:
    return (
        f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "User-Agent: Mozilla/5.0\r\n\r\n"
    ).encode()


def _http(method: str, target: str, body: bytes = b"") -> bytes:
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"User-Agent: Mozilla/5.0\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
