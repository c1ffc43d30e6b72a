"""Which ends of a WebSocket are goodbyes."""

import pytest

from harmonic_gateway.sockets.ended import Ended, EndReason, end_reason, websocket_ended


@pytest.mark.parametrize(
    ("code", "while_answering", "while_silent"),
    [
        (1001, Ended.GOODBYE, Ended.GOODBYE),
        (1000, Ended.GOODBYE, Ended.BROKEN),
        (1005, Ended.GOODBYE, Ended.BROKEN),
        (1002, Ended.BROKEN, Ended.BROKEN),
        (1006, Ended.BROKEN, Ended.BROKEN),
        (1011, Ended.BROKEN, Ended.BROKEN),
        (1012, Ended.BROKEN, Ended.BROKEN),
        (4000, Ended.BROKEN, Ended.BROKEN),
        (None, Ended.BROKEN, Ended.BROKEN),
    ],
)
def test_a_close_code_and_pongs_tell(
    code: int | None, while_answering: Ended, while_silent: Ended
) -> None:
    assert websocket_ended(code, answers=True) is while_answering
    assert websocket_ended(code, answers=False) is while_silent


def test_the_reason_is_what_is_known_or_what_the_client_said() -> None:
    assert end_reason(EndReason.OVERFLOW, Ended.GOODBYE) is EndReason.OVERFLOW
    assert end_reason(None, Ended.GOODBYE) is EndReason.GOODBYE
    assert end_reason(None, Ended.BROKEN) is EndReason.TRANSPORT_LOST
