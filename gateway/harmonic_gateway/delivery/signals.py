"""Live signals from one connection to its room, over all gateways, stored nowhere."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from pydantic_core import to_json

from harmonic_gateway import metrics as table
from harmonic_gateway.delivery.previews import is_settled
from harmonic_gateway.sockets import Frame
from harmonic_protocol.catalogue import EVENTS, UNNAMED_SIGNAL
from harmonic_protocol.internal import SIGNAL_EVENT
from harmonic_protocol.messages.declaration import Audience, Delivery, LiveSignal
from harmonic_protocol.messages.previews import ParametersPreviewed
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.metrics import Metrics

#: The sizes of the attachments that follow the JSON text in a signal's payload.
ATTACHMENT_BYTES = "Hu-Attachment-Bytes"
#: The connection that a signal comes from.
SENDER = "Hu-Sender"
#: How often it is looked at what waits.
BUDGET_INTERVAL_S = 0.1
#: Signals of a room that follow one another within this are sent together: each write to each
#: member costs as much as encoding a signal does. One signal alone does not wait.
TOGETHER_S = 0.03
#: Seconds' worth of its budget that wait in a room for each kind. Signals that wait for longer are
#: not live, and are dropped.
WAITING_S = 4.0


class Signals:
    """Passes signals on to rooms, within each room's budget of bytes for each kind.

    Beyond it, the newest signal of each sender waits until there is room for it, and replaces the
    one before. Within it, a signal waits at most ``TOGETHER_S``, for others to be sent with. The
    waiting signals are bounded in bytes as well: the one that has waited longest is dropped. A
    preview that waits is discarded once its values are stored.
    """

    def __init__(
        self,
        send: Callable[[str, Sequence[Message]], None],
        *,
        bytes_per_s: int,
        metrics: Metrics,
    ) -> None:
        self._send = send
        self._bytes_per_s = bytes_per_s
        #: By the universe and the event that a signal is.
        self._budgets: dict[tuple[str, str], _Budget] = {}
        #: What is to be sent together, by universe: there while something was just sent.
        self._together: dict[str, list[Message]] = {}
        self._superseded = metrics.counter(table.SIGNALS_SUPERSEDED)

    def take(self, universe_id: str, message: Message) -> None:
        """Pass a signal on now, or later, or never if a newer one comes before.

        Raise ``ValueError`` for one that could not be taken apart: it would spoil those that are
        sent together with it.
        """
        if _is_shown(message):
            _sizes(message)
        key = universe_id, event_name(message)
        budget = self._budgets.get(key)
        now_s = asyncio.get_running_loop().time()
        if budget is None:
            budget = self._budgets[key] = _Budget(now_s)
        sender = message.headers.get(SENDER, "")
        if budget.waiting or not budget.spend(len(message.payload), now_s, self._bytes_per_s):
            most_bytes = int(self._bytes_per_s * WAITING_S)
            self._superseded.inc(budget.keep(sender, message, most_bytes))
        else:
            self._pass_on(universe_id, message)
        self._look_again(key, budget)

    def stored(self, universe_id: str, frames: Sequence[Frame]) -> None:
        """These are delivered now: previews of what they say come too late."""
        previewed = ParametersPreviewed.spec.name
        # A budget that owes nothing is forgotten, though some of what it paid for is not sent yet.
        budget = self._budgets.get((universe_id, previewed))
        together = self._together.get(universe_id)
        if budget is None and not together:
            return

        def is_late(message: Message) -> bool:
            is_preview = event_name(message) == previewed
            return is_preview and any(is_settled(message.payload, frame) for frame in frames)

        if budget is not None:
            for sender, message in list(budget.waiting.items()):
                if is_late(message):
                    budget.take(sender)
                    self._superseded.inc()
        if together:
            kept = [message for message in together if not is_late(message)]
            self._superseded.inc(len(together) - len(kept))
            together[:] = kept

    def _pass_on(self, universe_id: str, message: Message) -> None:
        """Send a signal: at once if none was sent just before, else with those that follow."""
        together = self._together.get(universe_id)
        if together is None:
            self._send_now(universe_id, [message])
        else:
            together.append(message)

    def _send_now(self, universe_id: str, messages: Sequence[Message]) -> None:
        self._together[universe_id] = []
        asyncio.get_running_loop().call_later(TOGETHER_S, self._send_together, universe_id)
        self._send(universe_id, messages)

    def _send_together(self, universe_id: str) -> None:
        together = self._together.pop(universe_id)
        if together:
            self._send_now(universe_id, together)

    def _look_again(self, key: tuple[str, str], budget: "_Budget") -> None:
        if budget.timer is None:
            loop = asyncio.get_running_loop()
            budget.timer = loop.call_later(BUDGET_INTERVAL_S, self._drain, key, budget)

    def _drain(self, key: tuple[str, str], budget: "_Budget") -> None:
        budget.timer = None
        now_s = asyncio.get_running_loop().time()
        for sender, message in list(budget.waiting.items()):
            if not budget.spend(len(message.payload), now_s, self._bytes_per_s):
                break
            budget.take(sender)
            self._pass_on(key[0], message)
        if budget.waiting or budget.owes(now_s, self._bytes_per_s):
            self._look_again(key, budget)
        else:
            del self._budgets[key]


class _Budget:
    """What a room has spent: it may be in debt for one message, and has to earn it back."""

    __slots__ = ("_debt_bytes", "_since_s", "_waiting_bytes", "timer", "waiting")

    def __init__(self, now_s: float) -> None:
        #: The newest of each sender, those first that have waited longest.
        self.waiting: dict[str, Message] = {}
        self._waiting_bytes = 0
        self.timer: asyncio.TimerHandle | None = None
        self._debt_bytes = 0.0
        self._since_s = now_s

    def keep(self, sender: str, message: Message, most_bytes: int) -> int:
        """Have a message wait in its sender's place; return how many are dropped for it."""
        before = self.waiting.get(sender)
        self.waiting[sender] = message
        self._waiting_bytes += len(message.payload) - (len(before.payload) if before else 0)
        dropped = 0 if before is None else 1
        while self._waiting_bytes > most_bytes and len(self.waiting) > 1:
            self.take(next(iter(self.waiting)))
            dropped += 1
        return dropped

    def take(self, sender: str) -> None:
        """Remove a sender's message from those that wait."""
        self._waiting_bytes -= len(self.waiting.pop(sender).payload)

    def owes(self, now_s: float, bytes_per_s: int) -> bool:
        """Whether it is still in debt."""
        earned = (now_s - self._since_s) * bytes_per_s
        self._debt_bytes = max(0.0, self._debt_bytes - earned)
        self._since_s = now_s
        return self._debt_bytes > 0

    def spend(self, size_bytes: int, now_s: float, bytes_per_s: int) -> bool:
        """Spend on a message, unless a second's worth is spent already."""
        self.owes(now_s, bytes_per_s)
        if self._debt_bytes >= bytes_per_s:
            return False
        self._debt_bytes += size_bytes
        return True


def pack(
    request: LiveSignal, *, user_id: str, sender: str, timestamp: str
) -> tuple[bytes, dict[str, str]]:
    """A signal's payload and headers: the event's JSON, then the typed arrays as they came."""
    event = request.relayed(user_id=user_id, timestamp=timestamp)
    attachments: list[bytes] = []
    # A spectrum has thousands of numbers: the standard library takes five times as long for them.
    text = to_json(
        _with_placeholders(event.model_dump(by_alias=True, exclude_unset=True), attachments)
    )
    sizes = ",".join(str(size) for size in (len(text), *map(len, attachments)))
    headers = {SIGNAL_EVENT: event.spec.name, ATTACHMENT_BYTES: sizes, SENDER: sender}
    return b"".join((text, *attachments)), headers


def event_name(message: Message) -> str:
    """The event that a signal is."""
    return message.headers.get(SIGNAL_EVENT, UNNAMED_SIGNAL)


def unpack(message: Message) -> Frame | None:
    """The frame that a signal is sent to members as; none where only others know its event."""
    if not _is_shown(message):
        return None
    parts: list[bytes] = []
    offset = 0
    for size in _sizes(message):
        parts.append(message.payload[offset : offset + size])
        offset += size
    text, *attachments = parts
    return Frame(event_name(message), text, attachments, droppable=True)


def _is_shown(message: Message) -> bool:
    """Whether members are sent a signal: others may know events that are none here."""
    event = EVENTS.get(event_name(message))
    return event is not None and event.spec.delivery is Delivery.LIVE


def _sizes(message: Message) -> list[int]:
    """The sizes of a signal's text and attachments; raise ``ValueError`` where they are not."""
    sizes = [int(size) for size in message.headers.get(ATTACHMENT_BYTES, "").split(",")]
    if min(sizes) < 0 or sum(sizes) != len(message.payload):
        raise ValueError("a signal without the sizes of its parts")
    return sizes


def left_out(message: Message) -> str | None:
    """The id of the connection that a signal comes from, if it is for the others only."""
    event = EVENTS.get(event_name(message))
    is_for_others = event is not None and event.spec.audience is Audience.OTHERS
    return message.headers.get(SENDER) if is_for_others else None


def _with_placeholders(value: Any, attachments: list[bytes]) -> Any:
    match value:
        case bytes():
            attachments.append(value)
            return {"_placeholder": True, "num": len(attachments) - 1}
        case dict():
            return {key: _with_placeholders(item, attachments) for key, item in value.items()}
        case _:
            return value
