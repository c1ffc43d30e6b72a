"""Which failures have a line in the log."""

from structlog.testing import capture_logs

from harmonic_gateway.failures import Failures
from harmonic_protocol.causes import Cause
from harmonic_protocol.transient import OVERDUE, UNAVAILABLE
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harness.memory import SetClock

COMMANDS = 100


def test_what_waits_behind_a_slow_command_has_one_line_for_each_connection() -> None:
    metrics = Metrics()
    failures = Failures(get_log(), SampledLog(get_log(), SetClock()), metrics)
    with capture_logs() as lines:
        for number in range(COMMANDS):
            for connection in ("a", "b"):
                failures.report(
                    "command_refused", OVERDUE, error_id=str(number), connection=connection
                )

    assert [line["event"] for line in lines] == ["internal_error"] * 2
    assert [(line["connection"], line["error_id"]) for line in lines] == [("a", "0"), ("b", "0")]
    counted = metrics.registry.get_sample_value(
        "harmonic_internal_errors_total", {"cause": OVERDUE.cause.value}
    )
    assert counted == 2 * COMMANDS


def test_every_other_failure_has_a_line() -> None:
    failures = Failures(get_log(), SampledLog(get_log(), SetClock()), Metrics())
    failed = UNAVAILABLE.caused_by(Cause.NO_ANSWER, "state-1")
    with capture_logs() as lines:
        for number in range(COMMANDS):
            failures.report("command_refused", failed, error_id=str(number), connection="a")

    assert [line["error_id"] for line in lines] == [str(number) for number in range(COMMANDS)]
