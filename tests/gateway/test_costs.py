"""What commands are charged besides being received."""

import pytest

from harmonic_gateway.limits.costs import OWNERS, ROOMS, SIGNAL, TOKEN, cost_of
from harmonic_gateway.limits.pace import Pace, PaceLimits, UserBudgets
from harmonic_gateway.sockets.limits import (
    BYTE_COST_S,
    MAX_SHORT_COST_S,
    MESSAGE_COST_S,
    UNMEASURED_BYTE_COST_S,
)
from harmonic_protocol.catalogue import COMMANDS, SIGNALS
from harmonic_protocol.messages.connection import RefreshToken, TimeSync
from harmonic_protocol.messages.declaration import OwnerCommand, RateClass
from harmonic_protocol.messages.rooms import JoinRoom, LeaveRoom
from harness.payloads import payload

LIMITS = PaceLimits(connection_percent=5, user_percent=10, refusals_per_s=60, refusals_burst=60)
#: Bytes of a state, or of a preview of several values, with all that is around it.
SMALL_BYTES = 200


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != TimeSync.spec.name])
def test_every_command_that_is_carried_out_has_a_cost(name: str) -> None:
    declared = COMMANDS[name]
    about = {} if declared is RefreshToken else {"universeId": "u"}
    command = declared.model_validate({**about, **payload(name)})
    assert not isinstance(command, TimeSync)
    cost = cost_of(command)

    if declared in {JoinRoom, LeaveRoom}:
        assert cost == ROOMS
    elif name in SIGNALS:
        assert cost == SIGNAL
    elif issubclass(declared, OwnerCommand):
        assert cost == OWNERS
    else:
        assert cost == TOKEN


def test_a_client_that_sends_two_kinds_of_signals_as_often_as_it_may_is_not_slowed_down() -> None:
    """Even where each takes as long to receive as is believed of a short message."""
    pace = Pace(LIMITS)
    pace.charge_to(UserBudgets(LIMITS).of("ann"))
    received_s = MESSAGE_COST_S + MAX_SHORT_COST_S
    received_s += SMALL_BYTES * (BYTE_COST_S + UNMEASURED_BYTE_COST_S)
    once_s = SIGNAL.once_s + SIGNAL.byte_s * SMALL_BYTES
    session_s = SIGNAL.session_s + SIGNAL.session_byte_s * SMALL_BYTES
    for number in range(600 * 2 * RateClass.SIGNALS.allowance):
        now_s = number / 2 / RateClass.SIGNALS.allowance
        pace.took(received_s, now_s)
        pace.caused(once_s, session_s, now_s)

    assert pace.wait_s(now_s) == 0
