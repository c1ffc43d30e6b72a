"""Watching over tokens that run out: a warning before, a grace after, and then the end."""

from collections.abc import Callable, Iterable

from harmonic_gateway.membership.session import Session

#: How often all sessions are looked at.
INTERVAL_S = 0.5


def look_at_tokens(
    sessions: Iterable[Session],
    now_s: float,
    *,
    warning_s: float,
    grace_s: float,
    warn: Callable[[Session], None],
    end: Callable[[Session], None],
) -> None:
    """Call ``warn`` once for each token that expires soon, and ``end`` after its grace."""
    for session in sessions:
        left_s = session.identity.expires_at_s - now_s
        if left_s > warning_s:
            continue
        if left_s <= -grace_s:
            end(session)
        elif not session.warned and left_s > 0:
            session.warned = True
            warn(session)
