"""What cannot be read or stored is passed over, and never in silence: counted, logged, answered."""

from collections.abc import Mapping
from typing import Any, cast

from structlog.testing import capture_logs

from harmonic_gateway.delivery.pieces import Pieces
from harmonic_gateway.membership.saved import Found
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.recovery.liveness import LivenessChecks
from harmonic_protocol import subjects
from harmonic_protocol.internal import ConnectionChecked, Liveness, SavedSession
from harmonic_protocol.log import MusicStored
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import StreamFull
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harness.memory import Failure, MemoryStreams, SetClock

PID, USER, UNIVERSE = "p" * 43, "ann", "u1"


class Scene:
    """The parts of a gateway that read what is stored, on streams in memory."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.streams = MemoryStreams(
            {
                subjects.SESSIONS_STREAM: [
                    subjects.sessions_of(USER),
                    subjects.gateway_signs(),
                ],
                subjects.NOTES_STREAM: [subjects.notes(UNIVERSE, "*")],
            }
        )
        clock = SetClock()
        log = SampledLog(get_log(), clock)
        self.sessions = Sessions(self.streams, clock=clock, metrics=self.metrics, log=log)
        self.pieces = Pieces(self.streams, self.metrics, log)

    def counted(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"harmonic_{name}_total", labels)

    async def stores(self, subject: str, payload: bytes) -> None:
        await self.streams.append(subject, payload, timeout_s=1)


async def test_a_saved_session_that_cannot_be_read() -> None:
    scene = Scene()
    await scene.stores(subjects.session(USER, PID), b"{")

    with capture_logs() as logs:
        assert await scene.sessions.find(USER, PID) is None
        assert await scene.sessions.of_user(USER) == []

    assert [line["event"] for line in logs] == ["session_unreadable"]
    assert PID not in str(logs)
    assert scene.counted("session_saves", outcome="unreadable") == 2


async def test_a_sign_of_life_that_cannot_be_stored_or_read() -> None:
    scene = Scene()
    await scene.stores(subjects.gateway_sign("g1"), b"{")
    scene.streams.failures.append(Failure(StreamFull("full")))

    with capture_logs() as logs:
        await scene.sessions.sign("g2")
        assert await scene.sessions.last_signs() == {}

    assert [line["event"] for line in logs] == ["sign_of_life_not_stored", "session_unreadable"]
    assert scene.counted("session_saves", outcome="sign_failed") == 1


async def test_a_session_that_cannot_be_given_back() -> None:
    scene = Scene()
    saved = SavedSession(connection_id="c1", gateway_id="g1", rooms={}, saved_ms=1)
    taken = Found(saved, subjects.session(USER, PID), 0)
    scene.streams.failures.append(Failure(BusUnavailable("away")))

    with capture_logs() as logs:
        await scene.sessions.give_back(taken)

    assert [(line["event"], line["connection"]) for line in logs] == [
        ("session_not_given_back", "c1")
    ]
    assert scene.counted("session_saves", outcome="lost") == 1


async def test_a_piece_whose_notes_are_not_there_or_cannot_be_read() -> None:
    scene = Scene()
    piece = cast("MusicStored", PieceName())
    with capture_logs() as logs:
        assert await scene.pieces.notes(piece) is None
        await scene.stores(subjects.notes(UNIVERSE, "r1"), b"{")
        assert await scene.pieces.notes(piece) is None

    assert [line["reason"] for line in logs] == ["absent", "unreadable"]
    assert scene.counted("notes_missing", reason="absent") == 1
    assert scene.counted("notes_missing", reason="unreadable") == 1


class PieceName:
    """As far as reading a piece goes."""

    universe_id, request_id = UNIVERSE, "r1"


class Bus:
    """Notes down what is answered."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []

    def post(self, _subject: str, payload: bytes, **_: Mapping[str, str]) -> None:
        self.answers.append(payload)


def test_a_question_of_another_gateway_that_cannot_be_read_is_answered() -> None:
    bus = Bus()
    log = SampledLog(get_log(), SetClock())
    checks = LivenessChecks(cast("Any", bus), {}, 4.0, log)

    with capture_logs() as logs:
        checks.hear(Message("hu.ping.g1", b"{", {}, "_INBOX.x"))

    assert [line["event"] for line in logs] == ["connection_check_unreadable"]
    (answer,) = bus.answers
    assert ConnectionChecked.model_validate_json(answer).liveness is Liveness.ALIVE
