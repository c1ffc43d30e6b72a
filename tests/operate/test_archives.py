"""How a restore begins where brokers have just started."""

import asyncio
import json
from typing import Any, cast

import pytest

from harmonic_operator.archives import NO_PEERS, begin_restoring
from harmonic_runtime.bus.jetstream import ApiRefused
from harmonic_runtime.bus.wire import Message
from harness import virtual_time


class Brokers:
    """Brokers that answer so many times with an error, and then with the place of a stream."""

    def __init__(self, refusals: int, code: int = NO_PEERS) -> None:
        self._left = refusals
        self._code = code

    async def request(self, *_: object, **__: object) -> Message:
        await asyncio.sleep(0)
        answer: dict[str, object] = {"deliver_subject": "there"}
        if self._left:
            self._left -= 1
            answer = {"error": {"err_code": self._code, "description": "refused"}}
        return Message("", json.dumps(answer).encode(), {}, "", 0.0)


def begun(brokers: Brokers) -> dict[str, Any]:
    return dict(virtual_time.run(begin_restoring(cast("Any", brokers), "HU_LOG_0", {})))


def test_brokers_that_have_not_found_one_another_yet_are_waited_for() -> None:
    assert begun(Brokers(refusals=3)) == {"deliver_subject": "there"}


@pytest.mark.parametrize(("refusals", "code"), [(10**6, NO_PEERS), (1, 10074)])
def test_what_stays_refused_and_what_is_refused_for_good_is_told(refusals: int, code: int) -> None:
    with pytest.raises(ApiRefused, match=str(code)):
        begun(Brokers(refusals, code))
