"""The sequences at which logs' streams ended in the backup that they were restored from."""

import asyncio
from collections.abc import Mapping

from pydantic import ValidationError

from harmonic_protocol import subjects
from harmonic_protocol.operating import Restored
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import Streams
from harmonic_state.skipping import SkippedMessages

RETRY_PAUSE_S = 0.5


async def restored_ends(streams: Streams, skipped: SkippedMessages) -> Mapping[str, int]:
    """The sequences at which streams ended in the backup; empty without a restored backup."""
    while True:
        try:
            stored = await streams.last(subjects.OPERATOR_STREAM, subjects.RESTORED_SUBJECT)
        except BusUnavailable:
            await asyncio.sleep(RETRY_PAUSE_S)
            continue
        if stored is None:
            return {}
        if stored.is_answer:
            skipped.foreign("restored", stored)
            return {}
        try:
            return Restored.model_validate_json(stored.payload).ends
        except ValidationError:
            skipped.unreadable("restored", stored)
            return {}
