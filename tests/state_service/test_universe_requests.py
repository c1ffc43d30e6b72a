"""The family of requests: what may be taken although a log is almost full."""

from typing import get_args

from harmonic_protocol.messages.parameters import PARAMETER_SETS, UpdateParameters
from harmonic_protocol.messages.sets import ParameterCommand
from harmonic_state.domain.universe_requests import UniverseRequest, never_grows

#: These take away, or end what was begun.
SMALLER = {
    *("leave_room", "close_connection", "release_gateway", "delete_universe"),
    *("remove_member", "remove_participant", "remove_user", "erase_user", "forget_history"),
    *("complete_music", "expire_music", "stop_music"),
}


def test_an_almost_full_log_takes_what_makes_a_universe_smaller_and_nothing_else() -> None:
    sets = [UpdateParameters, *(one.command for one in PARAMETER_SETS.values())]
    others = [each for each in get_args(UniverseRequest) if each is not ParameterCommand]
    requests = [request.model_construct() for request in (*sets, *others)]
    taken = {request.operation() for request in requests if never_grows(request)}
    assert taken == SMALLER
