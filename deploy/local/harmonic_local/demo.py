"""Two people who work together in the running instance, with the Python client."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path
from secrets import token_hex

from harmonic_client import (
    AnyEvent,
    AudioAnalyzed,
    Client,
    Event,
    HarmonicError,
    MusicBar,
    MusicGenerated,
    MusicStopped,
    NewerEvent,
    ParametersPreviewed,
    ParametersUpdated,
    ParticipantJoined,
    ParticipantLeft,
    SharedUniverse,
    connect,
)
from harmonic_local.instance import RUN_DIRECTORY, Instance
from harmonic_local.tokens import make_token

TOKEN_LIFETIME_S = 300
PATIENCE_S = 20.0
DRAG_S, DRAG_STEP_S = 5.0, 0.05
FIRST_TEMPO, LAST_TEMPO = 80.0, 180.0
BOTH = 2
NOON = "2024-03-21T12:00:00.000Z"
SLOWER_TEMPO = 120.0
#: What both must have heard alike, in one order; bars are not in that order.
SHARED = (ParametersUpdated, MusicGenerated, AudioAnalyzed)


class DemoFailed(Exception):
    """The demonstration did not go as it should."""


class Person:
    """A person with a client, who prints and keeps all events."""

    def __init__(self, name: str, client: Client, universe: SharedUniverse) -> None:
        self.name = name
        self.client = client
        self.universe = universe
        self._events = aiter(universe)
        self._heard: list[AnyEvent] = []
        self._news = asyncio.Condition()

    async def follow(self) -> None:
        """Listen until the room is left."""
        async for event in self._events:
            print(f"{self.name} hears {_summary(event)}")
            async with self._news:
                self._heard.append(event)
                self._news.notify_all()

    async def hears(self, fits: Callable[[AnyEvent], bool]) -> None:
        """Wait until an event was heard."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: any(fits(event) for event in self._heard))

    def shared(self) -> list[AnyEvent]:
        """The events that the other person must have heard, too."""
        return [event for event in self._heard if isinstance(event, SHARED)]

    def bars(self) -> list[MusicBar]:
        """The bars of endless pieces, as they came."""
        return [event for event in self._heard if isinstance(event, MusicBar)]


def demo(instance: Instance) -> int:
    """Show the demonstration; the exit status."""
    try:
        asyncio.run(demonstrate(instance.gateways, instance.jwt_secret, RUN_DIRECTORY / "demo.mid"))
    except (DemoFailed, HarmonicError, TimeoutError) as error:
        reason = str(error) or "it took too long"
        print(f"The demonstration failed: {reason}", file=sys.stderr)
        return 1
    return 0


async def demonstrate(gateways: Sequence[str], secret: str, midi: Path) -> None:
    """Let two people share a universe, and write the music that they hear to ``midi``.

    Raise :class:`DemoFailed`, or what the client raises, if anything is not as it should be.
    """
    # Fresh users each time: limits count by user.
    suffix = token_hex(4)

    def connected(name: str, url: str) -> AbstractAsyncContextManager[Client]:
        token = make_token(secret, f"{name}-{suffix}", name=name, lifetime_s=TOKEN_LIFETIME_S)
        return connect(url, lambda: token)

    async with AsyncExitStack() as leaving:
        anns, bens = gateways[0], gateways[-1]
        ann_client = await leaving.enter_async_context(connected("ann", anns))
        ben_client = await leaving.enter_async_context(connected("ben", bens))
        print(f"# Ann, at {anns}, makes a universe and lets Ben, at {bens}, edit it.")
        made = await ann_client.request("POST", "/universes", {"name": "Demonstration"})
        path = f"/universes/{made['id']}"
        await ann_client.request("PUT", f"{path}/members/{ben_client.user_id}", {"role": "edit"})
        ann = Person("ann", ann_client, await ann_client.join(made["id"]))
        ben = Person("ben", ben_client, await ben_client.join(made["id"]))
        await asyncio.gather(_work_together(ann, ben, path, midi), ann.follow(), ben.follow())


async def _work_together(ann: Person, ben: Person, path: str, midi: Path) -> None:
    await ann.universe.until(lambda: len(ann.universe.participants) == BOTH, PATIENCE_S)

    print("# Each changes parameters: all of them come, with the one who changed them.")
    await ann.universe.set(physics={"gravity": 3.7, "friction": 0.2})
    await ben.universe.set(music={"tempo": 96, "key": "D", "scale": "dorian"})
    last = await ann.universe.set(visualization={"color_scheme": "ocean", "particle_count": 8000})
    await _agree(ann, ben, lambda event: getattr(event, "seq", None) == last)

    print("# Ben drags a slider: few updates are sent, and the last is where he let go.")
    before = len(ann.shared())
    last = await _drag(ben.universe)
    limits = ben.client.limits
    # The first goes at once, and the last one waits for its turn.
    most = 2 + DRAG_S * (limits.parameters_per_minute if limits else 0) / 60
    await _agree(ann, ben, lambda event: getattr(event, "seq", None) == last)
    _check(ann.universe.parameters.music.tempo == LAST_TEMPO, "it did not end where he let go")
    _check(len(ann.shared()) - before <= most, "there were more updates than a user may send")

    print("# Ann asks for music, which both hear; it can be had as a MIDI file, too.")
    piece = await ann.universe.generate(8)
    _check(bool(piece.notes), "there are no notes")
    await _agree(ann, ben, lambda event: event == piece)
    file = await ben.client.request("GET", f"{path}/music/{piece.request_id}.mid")
    await asyncio.to_thread(midi.write_bytes, file)

    await _play_on(ann, ben)

    print("# Each shows the other what they hear.")
    for person, frequencies in ((ann, [-61.5, -38.25, None]), (ben, [-20, -30, -40, -50])):
        analysis = {"frequencies": frequencies, "waveform": [0, 0.5, -0.5], "timestamp": NOON}
        said = {"universeId": person.universe.id, "analysis": analysis}
        _check(bool(await person.client.emit("audio_analysis", said)), "nobody answers")
        await _agree(ann, ben, partial(_is_audio_of, person.client.user_id))

    print("# Ben leaves, then Ann.")
    await ben.universe.leave()
    await ann.universe.until(lambda: len(ann.universe.participants) < BOTH, PATIENCE_S)
    await ann.universe.leave()
    await ann.client.request("DELETE", path)
    print(f"# Both heard the same {len(ann.shared())} events, in the same order.")
    print(f"# The music is in {midi}.")


async def _play_on(ann: Person, ben: Person) -> None:
    """Let the universe play an endless piece, until what Ben moves is heard in it."""
    print("# Ann starts a piece without an end: each bar comes a little before it is played.")
    await ann.universe.start_music(style="waltz", seed=7)
    await _agree(ann, ben, lambda event: isinstance(event, MusicBar) and event.bar == 1)
    print("# Ben moves the tempo: it is heard from the next bar that is not recorded yet.")
    moved = await ben.universe.set(music={"tempo": SLOWER_TEMPO})
    await _agree(ann, ben, lambda event: isinstance(event, MusicBar) and event.as_of >= moved)
    first = next(bar for bar in ann.bars() if bar.as_of >= moved)
    _check(first.tempo < ann.bars()[0].tempo, "it has become no slower")
    print(f"# Bar {first.bar} is the first that follows it. Ben ends the piece.")
    await ben.universe.stop_music()
    await _agree(ann, ben, lambda event: isinstance(event, MusicStopped))
    bens = {bar.bar: bar for bar in ben.bars()}
    _check(all(bens.get(bar.bar, bar) == bar for bar in ann.bars()), "the bars are not the same")


def _is_audio_of(user: str | None, event: AnyEvent) -> bool:
    return isinstance(event, AudioAnalyzed) and event.user_id == user


async def _drag(universe: SharedUniverse) -> int:
    """Move a slider; return the ``seq`` of the value where it was let go."""
    steps = round(DRAG_S / DRAG_STEP_S)
    for step in range(steps):
        tempo = FIRST_TEMPO + (LAST_TEMPO - FIRST_TEMPO) * step / steps
        universe.preview(music={"tempo": tempo})
        universe.set(music={"tempo": tempo})
        await asyncio.sleep(DRAG_STEP_S)
    return await universe.set(music={"tempo": LAST_TEMPO})


async def _agree(ann: Person, ben: Person, fits: Callable[[AnyEvent], bool]) -> None:
    """Wait until both have heard an event; all their events must be the same."""
    for person in (ann, ben):
        await person.hears(fits)
    _check(ann.shared() == ben.shared(), "they did not hear the same")


def _check(holds: bool, otherwise: str) -> None:  # noqa: FBT001 -- what is checked stands first
    if not holds:
        raise DemoFailed(otherwise)


def _summary(event: AnyEvent) -> str:  # noqa: PLR0911 -- a line for each kind
    """An event in a line."""
    match event:
        case ParametersUpdated():
            wire = event.parameters.to_wire()
            values = ", ".join(f"{field} {wire[field]}" for field in event.changed)
            return f"{event.spec.name}: {values} (by {event.user_id})"
        case MusicGenerated():
            return f"{event.spec.name}: {len(event.notes)} notes in {event.key} {event.scale}"
        case MusicBar():
            where = f"bar {event.bar}, {event.duration:.2f} s in {event.key} {event.scale}"
            return f"{event.spec.name}: {where} at {event.tempo:.0f} bpm, {len(event.notes)} notes"
        case AudioAnalyzed():
            count = len(event.analysis.frequencies)
            return f"{event.spec.name}: {count} frequencies (by {event.user_id})"
        case ParticipantJoined():
            return f"{event.spec.name}: {event.participant.username}"
        case ParticipantLeft() | ParametersPreviewed():
            return f"{event.spec.name}: {event.user_id}"
        case Event():
            return event.spec.name
        case NewerEvent():
            return event.name
