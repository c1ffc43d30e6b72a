"""This client's preview and state, sent at most as often as the server accepts them."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from harmonic_client.changes import Changes, to_wire
from harmonic_client.merge import is_empty, without_all
from harmonic_client.sending import CommandSender
from harmonic_client.tasks import OwnTasks
from harmonic_protocol.messages.presence import UpdatePresence
from harmonic_protocol.messages.previews import PreviewParameters

#: The others take a preview for ended after a second of silence: it is repeated before.
REPEAT_S = 0.4
#: A preview that nobody changes for so long is not repeated for ever.
FORGOTTEN_AFTER_S = 10.0
#: After so long without another one, a preview of somebody else is over.
SILENCE_S = 1.0


class OwnPreview:
    """This client's preview in a room."""

    def __init__(
        self,
        sender: CommandSender,
        universe_id: str,
        show: Callable[[Changes], None],
        tasks: OwnTasks,
    ) -> None:
        self._sender = sender
        self._universe_id = universe_id
        self._show = show
        self._tasks = tasks
        self._changes: Changes = {}
        self._news = asyncio.Event()
        self._is_sending = False

    def show(self, changes: Changes) -> None:
        """Preview exactly these values; without values, end the preview."""
        if is_empty(changes) and is_empty(self._changes):
            return
        self._changes = changes
        self._show(changes)
        self._news.set()
        if not self._is_sending:
            self._is_sending = True
            self._tasks.start(self._send())

    def end(self) -> None:
        """End the preview, and tell the others."""
        self.show({})

    def committed(self, changes: Changes) -> None:
        """These values are sent as an update, which ends their preview everywhere."""
        self._changes = without_all(self._changes, changes)

    def drop(self) -> None:
        """Forget the preview: the connection is broken."""
        if not is_empty(self._changes):
            self._changes = {}
            self._show({})

    async def _send(self) -> None:
        """Send the preview at each change, and repeat it, until it ends."""
        loop = asyncio.get_running_loop()
        command = PreviewParameters.spec.name
        changed_at_s = loop.time()
        try:
            while True:
                await self._sender.signal_turn(command)
                self._news.clear()
                changes = self._changes
                payload = {"universeId": self._universe_id, **to_wire(changes)}
                await self._sender.connection.signal(command, payload)
                if is_empty(changes):
                    return
                if await self._is_news():
                    changed_at_s = loop.time()
                elif is_empty(self._changes):
                    # An update, or the end of the connection, has ended it for the others.
                    return
                elif loop.time() - changed_at_s > FORGOTTEN_AFTER_S:
                    self._changes = {}
                    self._show({})
        finally:
            self._is_sending = False

    async def _is_news(self) -> bool:
        try:
            async with asyncio.timeout(REPEAT_S):
                await self._news.wait()
        except TimeoutError:
            return False
        return True


class OwnPresence:
    """This client's state in a room."""

    def __init__(self, sender: CommandSender, universe_id: str, tasks: OwnTasks) -> None:
        self._sender = sender
        self._universe_id = universe_id
        self._tasks = tasks
        self._state: Mapping[str, Any] | None = None
        self._is_sending = False

    def show(self, state: Mapping[str, Any]) -> None:
        """Replace the state."""
        self._state = state
        self.send()

    def end(self) -> None:
        """Remove the state."""
        self._state = None

    def send(self) -> None:
        """Send the newest state, in its turn."""
        if self._state is not None and not self._is_sending:
            self._is_sending = True
            self._tasks.start(self._send())

    async def _send(self) -> None:
        command = UpdatePresence.spec.name
        try:
            await self._sender.signal_turn(command)
        finally:
            self._is_sending = False
        if self._state is not None:
            payload = {"universeId": self._universe_id, "state": self._state}
            await self._sender.connection.signal(command, payload)
