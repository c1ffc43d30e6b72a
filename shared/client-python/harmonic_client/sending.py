"""Sends commands in turn, and repeats them until they are answered."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, assert_never

from harmonic_client.connection import ServerConnection
from harmonic_client.errors import RefusedError, UnansweredError, refusal
from harmonic_client.retry import GiveUp, RenewToken, SendAgain, after_refusal
from harmonic_client.throttle import SendingPace, held_back, pace_of, turn
from harmonic_client.timekeeping import SECOND_MS
from harmonic_protocol.messages.declaration import RateClass

MINUTE_MS = 60_000.0
MAX_UNANSWERED = 4


def new_id() -> str:
    """An id that no other command has."""
    return secrets.token_hex(16)


class CommandSender:
    """Sends the commands of all rooms of a client, within the limits that the server announced."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self._updates: SendingPace | None = None
        self._signals: dict[str, SendingPace] = {}

    async def update_turn(self) -> None:
        """Wait for this client's turn to update parameters."""
        limits = self.connection.limits
        known = limits.parameters_per_minute if limits else RateClass.PARAMETERS.allowance
        pace = pace_of(known, MINUTE_MS, self._updates)
        delay_ms, self._updates = turn(pace, self.connection.clock.own_ms())
        await asyncio.sleep(delay_ms / SECOND_MS)

    async def signal_turn(self, command: str) -> None:
        """Wait for the turn to send a live signal of this kind."""
        limits = self.connection.limits
        known = limits.signals_per_second if limits else RateClass.SIGNALS.allowance
        pace = pace_of(known, SECOND_MS, self._signals.get(command))
        delay_ms, self._signals[command] = turn(pace, self.connection.clock.own_ms())
        await asyncio.sleep(delay_ms / SECOND_MS)

    def hold_back(self, retry_after_ms: float) -> None:
        """The server asked to update parameters later."""
        if self._updates is not None:
            now_ms = self.connection.clock.own_ms()
            self._updates = held_back(self._updates, now_ms, retry_after_ms)

    async def ask(
        self,
        command: str,
        payload: Mapping[str, Any],
        ready: Callable[[], Awaitable[None]],
        is_final: Callable[[RefusedError], bool] = lambda _: False,
    ) -> int:
        """Send a command with an ``opId``, which the server carries out once; return its ``seq``.

        It is sent again until it is answered, each time after ``ready`` has returned. Raise a
        refusal that asks to wait for longer than a command may, that ``is_final`` names, or that
        another try would not change.
        """
        attempt = 0
        while True:
            attempt += 1
            await ready()
            answer = await self.connection.emit(command, payload)
            if answer is None:
                if attempt >= MAX_UNANSWERED:
                    raise UnansweredError(f"{command} is not answered")
                continue
            if answer["ok"]:
                return int(answer["seq"])
            error = refusal(answer)
            if is_final(error):
                raise error
            await self.after_refusal(error, attempt, self.connection.patience_s * SECOND_MS)

    async def after_refusal(self, error: RefusedError, attempt: int, max_pause_ms: float) -> None:
        """Wait until the command is worth another try; raise the refusal if it is not."""
        verdict = after_refusal(error.reason, error.retry_after_ms, attempt, max_pause_ms)
        match verdict:
            case SendAgain(pause_ms=pause_ms):
                await asyncio.sleep(pause_ms / SECOND_MS)
            case RenewToken():
                await self.connection.renew()
            case GiveUp():
                raise error
            case _:
                assert_never(verdict)
