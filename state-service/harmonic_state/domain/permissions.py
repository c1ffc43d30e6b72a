"""Who may see a universe, and who may edit it."""

from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.values import Mode
from harmonic_state.domain.universe import Universe

BANNED = refused(Code.PERMISSION_DENIED, "You are banned from this universe", reason=Reason.BANNED)
_NOT_FOUND = refused(Code.NOT_FOUND, "Universe not found")


def allowed_mode(universe: Universe, user_id: str) -> Mode | None:
    """The highest mode in which a user may be in the room; ``None``: may not even know of it."""
    if universe.deleted or user_id in universe.bans:
        return None
    if user_id == universe.owner:
        return "edit"
    role = universe.members.get(user_id)
    if universe.visibility == "private":
        return role
    return "edit" if "edit" in (role, universe.public_mode) else "view"


def visible(universe: Universe | None, user_id: str) -> Universe | Refused:
    """The universe, or ``NOT_FOUND``: the same for a hidden universe and one that never was.

    Someone who is banned is told so where anybody else would see the universe.
    """
    if universe is None or universe.deleted:
        return _NOT_FOUND
    if allowed_mode(universe, user_id) is None:
        return _NOT_FOUND if universe.visibility == "private" else BANNED
    return universe


def owned(universe: Universe | None, user_id: str) -> Universe | Refused:
    """The universe, if the user owns it."""
    seen = visible(universe, user_id)
    if isinstance(seen, Universe) and seen.owner != user_id:
        return refused(
            Code.PERMISSION_DENIED, "Only the owner may do this", reason=Reason.NOT_OWNER
        )
    return seen
