"""Every order in which things may happen in a room, up to a depth: nobody hears or stays wrongly.

``python -m gateway.interleavings 6`` goes deeper than there is time for here.
"""

from functools import cache

import pytest

from gateway.interleavings import (
    BEGINNINGS,
    EVENTS,
    VISIBILITIES,
    Exploration,
    Explored,
    Visibility,
)

#: By their beginning: how deep explorations go, and how many orders these are at least.
EXPLORATIONS = {
    "nobody is there": (4, 12_000),
    "two are members": (3, 4_500),
    "two members lost their seats": (4, 100_000),
}
APART, ENTERING, PRESENT, REJOINING, DEPARTED = STATES = (
    *("apart", "entering", "present", "rejoining", "departed"),
)
HERE = (ENTERING, PRESENT, REJOINING)
#: The states of a membership in which each event can happen.
POSSIBLE: dict[str, tuple[str, ...]] = {
    "join": (APART, *HERE),
    "leave": HERE,
    # Such a connection has never been in the room before.
    **dict.fromkeys(("second connection", "resume by pid", "adoption"), (APART,)),
    "reply": (APART, *HERE, DEPARTED),
    "enter": (ENTERING, DEPARTED),
    "rejoin": (REJOINING,),
    **dict.fromkeys(("revocation", "expiry"), (APART, *HERE)),
    "release": (DEPARTED,),
}
PAIRS = {(state, event) for event in EVENTS for state in POSSIBLE.get(event, STATES)}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("visibility", VISIBILITIES)
@pytest.mark.parametrize("beginning", EXPLORATIONS)
def test_in_every_order_nobody_hears_or_stays_wrongly(
    beginning: str, visibility: Visibility
) -> None:
    assert explored(beginning, visibility).orders >= EXPLORATIONS[beginning][-1]


@pytest.mark.timeout(600)
def test_every_event_is_tried_in_every_state_in_which_it_can_happen() -> None:
    every = [explored(each, kind).pairs for each in EXPLORATIONS for kind in VISIBILITIES]
    assert set().union(*every) == PAIRS


@cache
def explored(beginning: str, visibility: Visibility) -> Explored:
    return Exploration(EXPLORATIONS[beginning][0]).explore(BEGINNINGS[beginning](visibility))
