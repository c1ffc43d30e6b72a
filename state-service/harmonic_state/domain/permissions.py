"""Who may see a universe, and who may edit it."""

from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.values import Mode
from harmonic_state.domain.universe import Universe


def allowed_mode(universe: Universe, user_id: str) -> Mode | None:
    """The highest mode in which a user may be in the room; ``None``: may not even know of it."""
    if universe.deleted:
        return None
    if user_id == universe.owner:
        return "edit"
    role = universe.members.get(user_id)
    if universe.visibility == "private":
        return role
    return "edit" if "edit" in (role, universe.public_mode) else "view"


def visible(universe: Universe | None, user_id: str) -> Universe | Refused:
    """The universe, or ``NOT_FOUND``: the same for a hidden universe and one that never was."""
    if universe is None or allowed_mode(universe, user_id) is None:
        return refused(Code.NOT_FOUND, "Universe not found")
    return universe


def owned(universe: Universe | None, user_id: str) -> Universe | Refused:
    """The universe, if the user owns it."""
    seen = visible(universe, user_id)
    if isinstance(seen, Universe) and seen.owner != user_id:
        return refused(
            Code.PERMISSION_DENIED, "Only the owner may do this", reason=Reason.NOT_OWNER
        )
    return seen
