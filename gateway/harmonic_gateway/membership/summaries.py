"""What is kept of memberships, for whoever goes on with them. Pure."""

from collections.abc import Iterable, Mapping

from harmonic_gateway.delivery.places import mark_of
from harmonic_gateway.membership.membership import Membership
from harmonic_protocol.internal import SavedRoom


def saved_rooms(memberships: Iterable[Membership]) -> dict[str, SavedRoom]:
    """What is kept of memberships, so that any gateway can resume them."""
    return {
        each.universe_id: SavedRoom(
            mode=each.mode,
            position=each.start.position,
            frames=each.start.frames,
            mark=each.start.mark,
        )
        for each in memberships
        if each.mode is not None and each.start is not None
    }


def acknowledged(memberships: Iterable[Membership]) -> dict[str, int]:
    """The positions up to which a client has certainly received everything, by universe."""
    return {
        each.universe_id: each.acknowledged for each in memberships if each.acknowledged is not None
    }


def marks(places: Mapping[str, int]) -> dict[str, int]:
    """The marks of the records at positions, by universe, as far as they are known."""
    known = {universe_id: mark_of(position) for universe_id, position in places.items()}
    return {universe_id: mark for universe_id, mark in known.items() if mark is not None}
