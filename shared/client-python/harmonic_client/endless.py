"""The endless piece: started and ended."""

from collections.abc import Mapping
from typing import Any

from harmonic_client.generation import Requester
from harmonic_client.sending import CommandSender, new_id
from harmonic_protocol.messages.endless import StartMusic, StopMusic


async def start_music(sender: CommandSender, requester: Requester, wish: Mapping[str, Any]) -> None:
    """Have a universe play on; return once it is stored."""
    payload = {**wish, "universeId": requester.id, "opId": new_id()}
    await sender.ask(StartMusic.spec.name, payload, requester.joined)


async def stop_music(sender: CommandSender, requester: Requester) -> None:
    """End what a universe plays; return once it is stored."""
    payload = {"universeId": requester.id, "opId": new_id()}
    await sender.ask(StopMusic.spec.name, payload, requester.joined)
