"""Bars of endless pieces: composed on request, stored for the gateways, and answered.

A bar depends on its request alone, so any replica can compose it, and composing it twice gives the
same bar. Bars are composed in a thread of their own, so that a long piece does not delay them.
"""

import asyncio
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from pydantic import ValidationError

from harmonic_music import metrics as table
from harmonic_music.endless import ComposedBar, compose_bar, goes_on
from harmonic_music.styles.catalogue import known_style
from harmonic_protocol import subjects
from harmonic_protocol.messages.endless import MAX_BAR_BYTES
from harmonic_protocol.pieces import (
    BAR_ANSWER_S,
    BarJob,
    BarMade,
    StoredBar,
    StoredForecast,
    StoredNote,
)
from harmonic_protocol.values import MusicParameters, PhysicsParameters, Stroke
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.streams import StreamFull, Streams
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import Clock, timestamp
from harmonic_runtime.process.lifecycle import Tasks

#: Requests that a replica holds at once, each of at most some 6 KiB: what a slow core composes
#: within ``BAR_ANSWER_S``. Beyond, the owner asks another replica.
MOST_BARS = 256
#: Bars that a replica keeps, since the bar that was foreseen is the next one unless something is
#: changed. One takes some 10 KiB.
MOST_KEPT = 512
STORE_TIMEOUT_S = 1.0
#: The answer that there is no bar, so that the owner need not wait.
NO_BAR = b""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BarComposers:
    """Answers owners' requests for bars on the bus."""

    def __init__(
        self,
        *,
        bus: Bus,
        streams: Streams,
        executor: Executor,
        clock: Clock,
        tasks: Tasks,
        metrics: Metrics,
        log: SampledLog,
    ) -> None:
        self._bus = bus
        self._streams = streams
        self._executor = executor
        self._clock = clock
        self._tasks = tasks
        self._log = log
        self._under_way = 0
        self._outcomes = metrics.counters(table.BARS)
        self._unreadable = metrics.counter(table.BAR_STATES_UNREADABLE)
        self._unknown = metrics.counter(table.BAR_STYLES_UNKNOWN)
        self._seconds = metrics.histogram(table.BAR_SECONDS)
        metrics.gauge_from(table.BARS_COMPOSING, lambda: self._under_way)

    def receive(self, message: Message) -> None:
        """Take one request; refuse one that cannot be read, or is beyond the bound, at once."""
        try:
            asked = BarJob.model_validate_json(message.payload)
        except ValidationError:
            self._outcomes.of("unreadable").inc()
            self._log.warning("bar_request_unreadable")
            self._answer(message, NO_BAR)
            return
        if self._under_way >= MOST_BARS:
            self._outcomes.of("turned_away").inc()
            self._log.warning("bar_turned_away", bars=self._under_way)
            self._answer(message, NO_BAR)
            return
        self._under_way += 1
        self._tasks.start(self._take(asked, message), name="bar")

    async def _take(self, asked: BarJob, message: Message) -> None:
        began_s = self._clock.monotonic()
        outcome = "composed"
        try:
            bar = await self._make(asked, began_s)
            if bar is None:
                outcome = "too_late"
                self._log.warning("bar_too_late", universe=asked.universe_id)
            else:
                made, stored, is_continued = bar
                self._note(asked, is_continued=is_continued)
                await self._streams.append(
                    subjects.bar(asked.universe_id, asked.bar), stored, timeout_s=STORE_TIMEOUT_S
                )
                self._answer(message, made.to_json())
        except (BusUnavailable, StreamFull) as error:
            outcome = "not_stored"
            self._log.warning("bar_not_stored", reason=f"{type(error).__name__}: {error}")
            self._answer(message, NO_BAR)
        except Exception as error:  # noqa: BLE001 -- a bug in one bar must not end the others
            outcome = "failed"
            self._log.error("bar_failed", kind=type(error).__name__, exc_info=error)
            self._answer(message, NO_BAR)
        finally:
            self._under_way -= 1
        self._outcomes.of(outcome).inc()
        self._seconds.observe(self._clock.monotonic() - began_s)

    def _note(self, asked: BarJob, *, is_continued: bool) -> None:
        """Count and log what is not as it was asked for."""
        if asked.state is not None and not is_continued:
            self._unreadable.inc()
            self._log.warning("bar_state_unreadable", universe=asked.universe_id)
        if known_style(asked.style) != asked.style:
            self._unknown.inc()
            self._log.warning("style_unknown", style=asked.style)

    async def _make(self, asked: BarJob, came_s: float) -> tuple[BarMade, bytes, bool] | None:
        """Make a bar in time; without the state that it carries on, if it fails with that."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, self._make_in_time, asked, came_s)
        except Exception as error:
            if asked.state is None:
                raise
            # It would fail at each attempt, and the piece would be silent for ever.
            self._log.error("bar_failed", kind=type(error).__name__, exc_info=error)
        anew = asked.model_copy(update={"state": None})
        made = await loop.run_in_executor(self._executor, self._make_in_time, anew, came_s)
        # It was told already that the piece begins anew.
        return made and (*made[:2], True)

    def _make_in_time(self, asked: BarJob, came_s: float) -> tuple[BarMade, bytes, bool] | None:
        """Make a bar, and say whether it goes on from its state.

        ``None`` if the owner has given this request up.

        Otherwise a replica with too much to do would compose bars twice, for nobody.
        """
        if self._clock.monotonic() - came_s > BAR_ANSWER_S:
            return None
        style = known_style(asked.style)
        is_continued = goes_on(asked.state, style=style, seed=asked.seed, bar=asked.bar)
        return (*make_bar(asked), is_continued)

    def _answer(self, message: Message, payload: bytes) -> None:
        if not message.reply or subjects.is_reserved(message.reply):
            return
        try:
            self._bus.post(message.reply, payload)
        except BusUnavailable:
            self._log.warning("bar_unanswered")


def make_bar(asked: BarJob) -> tuple[BarMade, bytes]:
    """The answer to the owner, and the stored form for the gateways.

    Raise ``ValueError`` for a bar that takes more than ``MAX_BAR_BYTES``.
    """
    of = (asked.music, asked.physics, asked.style, asked.seed)
    bar = _composed(*of, asked.bar, asked.state)
    after = _composed(*of, asked.bar + 1, bar.next_state)
    made = BarMade(
        stream_id=asked.stream_id,
        bar=asked.bar,
        duration_us=bar.duration_us,
        state=bar.next_state,
    )
    stored = stored_bar(asked, bar, after).to_json()
    if len(stored) > MAX_BAR_BYTES:
        raise ValueError(f"a bar of {len(stored)} bytes")
    return made, stored


@lru_cache(MOST_KEPT)
def _composed(  # noqa: PLR0917 -- all that a bar depends on
    music: MusicParameters,
    physics: PhysicsParameters,
    style: str | None,
    seed: int,
    bar: int,
    state: str | None,
) -> ComposedBar:
    return compose_bar(music, physics, style=known_style(style), seed=seed, bar=bar, state=state)


def stored_bar(asked: BarJob, bar: ComposedBar, after: ComposedBar) -> StoredBar:
    """A bar in the form that its stream stores, with the one after it if nothing is changed."""
    return StoredBar.model_construct(
        universe_id=asked.universe_id,
        stream_id=asked.stream_id,
        bar=asked.bar,
        starts_at=timestamp(_EPOCH + timedelta(milliseconds=round(asked.starts_us / 1000))),
        duration=bar.duration_s,
        tempo=bar.tempo,
        key=bar.key,
        scale=bar.scale,
        as_of=asked.as_of,
        notes=_notes(bar),
        style=bar.style,
        meter=bar.meter,
        instruments=dict(bar.instruments),
        drums=_strokes(bar),
        forecast=StoredForecast.model_construct(
            duration=after.duration_s,
            notes=_notes(after),
            instruments=dict(after.instruments),
            drums=_strokes(after),
        ),
    )


def _notes(bar: ComposedBar) -> tuple[StoredNote, ...]:
    return tuple(StoredNote.model_construct(**note.fields()) for note in bar.notes)


def _strokes(bar: ComposedBar) -> tuple[Stroke, ...] | None:
    strokes = tuple(
        Stroke.model_construct(key=key, start_time=start, velocity=velocity)
        for key, start, velocity in bar.drums
    )
    return strokes or None
