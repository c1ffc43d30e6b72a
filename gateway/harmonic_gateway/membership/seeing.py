"""What of what happens in a universe may end a user's seeing it. Pure."""

from collections.abc import Iterable
from typing import assert_never

from harmonic_protocol.log import (
    ConnectionLeft,
    ConnectionModeChanged,
    HistoryLost,
    MemberRemoved,
    MemberSet,
    MusicFailed,
    Notice,
    SettingsChanged,
    UniverseDeleted,
    UserBanned,
)
from harmonic_protocol.refusals import Refused


def may_hide(notice: Notice, user_id: str) -> bool:
    """Whether a user who could see a universe may not be able to after this."""
    match notice:
        case MemberRemoved(user_id=who) | UserBanned(user_id=who):
            return who == user_id
        case SettingsChanged(visibility=visibility):
            return visibility == "private"
        case UniverseDeleted():
            return True
        case (
            ConnectionLeft() | ConnectionModeChanged() | MemberSet() | MusicFailed() | HistoryLost()
        ):
            return False
        case _:
            assert_never(notice)


def put_out_by(notices: Iterable[Notice], user_id: str) -> Refused | None:
    """What a user is told who is put out of the room by what happened; ``None`` if it is not."""
    for notice in notices:
        if isinstance(notice, ConnectionLeft) and notice.user_id == user_id:
            return notice.refusal
    return None
