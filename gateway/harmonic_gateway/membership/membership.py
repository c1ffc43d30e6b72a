"""Admission of one connection to one universe's room, and its membership afterwards. Pure.

Facts about a seat come from two sources, in any order: the owner's replies, and the records of the
log. Each names a position of the log. The invariants:

- A fact counts only if it is newer, by its position, than what is known (``as_of``). So it does
  not matter in which order facts arrive. A reply covers all records up to its position.
- Only a connection that is PRESENT is sent anything of the room. Only :meth:`Membership.admit`
  makes it so, after it has checked again everything that may have changed during an await.
- PRESENT implies ``seated``: the newest fact says that the owner keeps a seat for the connection.
- While requests are under way the membership stays ENTERING, whatever the log says: the reply may
  be about a newer seat. Once it ``is_over``, it is GONE for good.
- ``may_hold_seat`` is true from before the first request for a seat until the owner or the log says
  that there is none. A departure releases all these seats.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum, auto

from harmonic_gateway.delivery.places import Place, mark_of
from harmonic_gateway.sockets import Connection
from harmonic_gateway.sockets.frames import Encoded
from harmonic_protocol.refusals import Refused
from harmonic_protocol.values import Mode


class Presence(StrEnum):
    """The stages of a connection in a room."""

    ENTERING = auto()
    """a seat is being asked for; nothing of the room is sent"""
    PRESENT = auto()
    """it is sent everything"""
    GONE = auto()
    """it is sent nothing any more"""


class Entry(StrEnum):
    """The outcome of an attempt to enter."""

    ADMITTED = auto()
    """it is a member from now on"""
    RENEWED = auto()
    """it was a member already"""
    OVERTAKEN = auto()
    """it was a member already, and was sent more than its snapshot holds: a newer one is needed"""
    UNSEATED = auto()
    """its seat ended meanwhile; the membership's ``refusal`` may say why"""
    STALE = auto()
    """records between its snapshot and now are not at hand: a newer snapshot is needed"""
    GONE = auto()
    """the connection has departed, or the room was lost"""


@dataclass(slots=True, eq=False)
class Membership:
    """A connection in a universe.

    ``start`` is where it began in the log, ``cursor`` the position that it is to be sent nothing
    up to, ``sent`` what it will have received once it answers the ping that is under way, and
    ``acknowledged`` what it has received for certain. ``elsewhere`` follows the offsets of the
    events that it is sent. A member that asks for a seat again is ENTERING and keeps its
    ``place``: it was sent all up to its cursor. ``rejoining`` says that its seat was released
    with its gateway and is to be asked for again, ``is_over`` that its connection is over. Up to
    ``continued_until``, its user could see the universe all the time, as the owner has said.
    """

    connection: Connection
    universe_id: str
    stage: Presence = Presence.GONE
    requests: int = 0
    seated: bool = False
    as_of: int = 0
    mode: Mode | None = None
    refusal: Refused | None = None
    may_hold_seat: bool = False
    keeps_place: bool = False
    rejoining: bool = False
    is_over: bool = False
    start: Place | None = None
    cursor: int = 0
    continued_until: int = 0
    sent: int | None = None
    acknowledged: int | None = None
    elsewhere: str | None = None

    #: The connection's own, kept here since every frame for a room asks each member for them.
    namespace: str = field(init=False)
    write: Callable[[Encoded], None] = field(init=False)

    def __post_init__(self) -> None:
        self.namespace = self.connection.namespace
        self.write = self.connection.write

    @property
    def is_known(self) -> bool:
        """Whether there is anything to keep."""
        return self.stage is not Presence.GONE or self.may_hold_seat

    @property
    def is_member(self) -> bool:
        """Whether its client takes itself for a member."""
        return self.stage is Presence.PRESENT or self.keeps_place

    @property
    def is_held_in_vain(self) -> bool:
        """Whether it was a member, is one still, and nothing is asked any more."""
        is_idle = self.stage is Presence.ENTERING and not self.requests and not self.rejoining
        return is_idle and self.keeps_place and self.seated

    def begin(self, reached: int = 0) -> None:
        """Begin to ask for a seat; a member was sent all up to ``reached``.

        A member is sent nothing until the reply, so that its snapshot comes in its place.
        """
        self.requests += 1
        if self.stage is Presence.PRESENT:
            self._hold(reached)
        elif self.stage is Presence.GONE and not self.is_over:
            self.stage = Presence.ENTERING
            self.begin_anew()

    def begin_anew(self) -> None:
        """Forget its place: it is sent a snapshot, and the records after that."""
        self.keeps_place = self.rejoining = False
        self.start, self.cursor, self.sent, self.acknowledged = None, 0, None, None

    def answered(
        self, position: int, mode: Mode, start: Place | None = None, *, continued: bool = False
    ) -> None:
        """Take the owner's reply: it keeps a seat as of ``position``, maybe a ``continued`` one."""
        if continued:
            self.continued_until = max(self.continued_until, position)
        if position >= self.as_of:
            self.as_of, self.seated, self.mode, self.refusal = position, True, mode, None
        if self.stage is not Presence.ENTERING or self.keeps_place:
            return
        if position >= self.cursor:
            self.start = start or Place(position, mark=mark_of(position))
            self.cursor = position

    def refused(self, *, frees_seat: bool) -> None:
        """Note a request that was refused or not made; ``frees_seat`` if surely no seat is held."""
        self.requests -= 1
        if frees_seat and not self.seated:
            self.begin_anew()
            self.may_hold_seat = self.requests > 0
        self._give_up_if_idle()

    def admit(self, complete_after: int | None) -> Entry:
        """Become a member, unless newer facts forbid it.

        The room has all records above ``complete_after`` at hand, or has not begun with any.
        """
        self.requests -= 1
        if self.stage is Presence.GONE:
            return Entry.GONE
        if not self.seated:
            # The seat that was granted has ended since.
            self.may_hold_seat = self.requests > 0 or self.rejoining
            self._give_up_if_idle()
            return Entry.UNSEATED
        if self.stage is Presence.PRESENT:
            return Entry.RENEWED
        if complete_after is not None and self.cursor < complete_after:
            self.keeps_place = self.rejoining = False
            self._give_up_if_idle()
            return Entry.STALE
        self.stage = Presence.PRESENT
        self.keeps_place = self.rejoining = False
        return Entry.ADMITTED

    def unseat(self, position: int, refusal: Refused | None = None) -> bool:
        """Take the fact that the seat ended at ``position``; return whether it is news."""
        if position <= self.as_of:
            self._interrupt(position)
            return False
        self.as_of, self.seated, self.refusal, self.mode = position, False, refusal, None
        self.begin_anew()
        if self.requests and not self.is_over:
            self.stage = Presence.ENTERING
        else:
            self.stage = Presence.GONE
            self.may_hold_seat = self.requests > 0
        return True

    def release(self, position: int, reached: int) -> bool:
        """Note that the seat was released with its gateway; return whether to ask for it again.

        Until the owner gives it back, what follows ``reached`` is kept back.
        """
        if position <= self.as_of:
            self._interrupt(position)
            return False
        if self.stage is Presence.GONE:
            return False
        self.as_of, self.seated = position, False
        if not self.is_member or self.rejoining:
            return False
        if self.stage is Presence.PRESENT:
            self._hold(reached)
        self.rejoining = True
        return True

    def change_mode(self, position: int, mode: Mode) -> bool:
        """Take the mode of the seat from ``position`` on; return whether it is news."""
        if position <= self.as_of:
            return False
        self.as_of, self.seated, self.mode, self.refusal = position, True, mode, None
        return True

    def depart(self) -> None:
        """Note the end of the connection. Its seats are kept, to be saved and released."""
        self.stage, self.is_over = Presence.GONE, True

    def supersede(self, position: int) -> bool:
        """Note that another connection took the session at ``position``: this one is over.

        Return whether that is news. A seat that it has taken since is kept, to be released.
        """
        if position > self.as_of:
            self.as_of, self.seated, self.may_hold_seat = position, False, self.requests > 0
        is_news = not self.is_over
        self.depart()
        return is_news

    def _interrupt(self, position: int) -> None:
        """A seat ended at ``position``, and the one that is known is newer.

        Unless its session was continued across that end, a member is sent nothing of the time
        between: its room_joined says what became of it.
        """
        if self.is_member and position > max(self.cursor, self.continued_until):
            self.cursor = self.as_of

    def _hold(self, reached: int) -> None:
        self.stage, self.keeps_place, self.cursor = Presence.ENTERING, True, reached

    def _give_up_if_idle(self) -> None:
        if self.stage is not Presence.ENTERING or self.requests or self.rejoining:
            return
        if not self.is_held_in_vain:
            self.stage, self.mode, self.keeps_place = Presence.GONE, None, False
