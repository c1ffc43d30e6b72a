"""Which refused calls of the HTTP API have a line in the log."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from harmonic_gateway.failures import Failures
from harmonic_gateway.http.api import Api
from harmonic_protocol.messages.universes import GetUniverse
from harmonic_protocol.refusals import Code, refused
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harness.memory import SetClock

CALLS = 50


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        # No allowance bounds how often these are refused.
        (Code.AUTH_ERROR, 1),
        (Code.RATE_LIMITED, 1),
        (Code.NOT_FOUND, CALLS),
        (Code.PERMISSION_DENIED, CALLS),
    ],
)
def test_refused_calls_are_logged_each_unless_nothing_bounds_them(code: Code, lines: int) -> None:
    some, metrics = cast("Any", None), Metrics()
    api = Api(
        standing=some,
        calls=some,
        owners=some,
        answers=some,
        switches=some,
        gateway_id="",
        tracer=some,
        failures=Failures(get_log(), SampledLog(get_log(), SetClock()), metrics),
    )
    request = cast("Any", SimpleNamespace(match_info={"universeId": "u"}))
    with capture_logs() as logged:
        for _ in range(CALLS):
            api._error(refused(code, "No"), GetUniverse, request, "id")

    assert [line["event"] for line in logged] == ["operation_refused"] * lines
    value = metrics.registry.get_sample_value
    counted = value("harmonic_refusals_total", {"code": code.value, "reason": "none"})
    assert counted == CALLS
