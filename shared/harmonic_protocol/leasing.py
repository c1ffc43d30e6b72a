"""How an allowance is divided: what gateways may lease of it, and what is granted one by one. Pure.

A *lease* is a part of a user's allowance that one gateway grants by itself: at most ``slots``
requests in any window. All leases together are half of the allowance at most, so whatever holds
them, the other half is there for every gateway.
"""

from typing import NamedTuple, Self

from harmonic_protocol.messages.declaration import RateClass

#: The allowances of which parts are leased: those that commands are sent under again and again.
LEASED_RATES = (RateClass.PARAMETERS,)
#: How many leases of an allowance there are, each of one part in so many of it.
LEASES = 4
PARTS = 8
#: Of fewer slots than this, a lease costs more than it saves.
MIN_SLOTS = 2
#: Seconds for which a gateway grants from a lease after it asked for it, or for its renewal.
VALID_S = 60
#: Where the stream of single grants says how the allowance is divided, in its metadata.
METADATA = "harmonic_leases"


class Division(NamedTuple):
    """So many ``leases`` of so many ``slots`` each; none if there is nothing to lease."""

    leases: int
    slots: int

    @classmethod
    def of(cls, allowed: int) -> Self:
        """How an allowance is divided."""
        slots = allowed // PARTS
        return cls(LEASES, slots) if slots >= MIN_SLOTS else cls(0, 0)

    @property
    def leased(self) -> int:
        """What all leases may grant in a window."""
        return self.leases * self.slots

    def written(self) -> str:
        """As a stream's metadata say it."""
        return f"{self.leases}x{self.slots}"

    @classmethod
    def read(cls, text: str | None) -> Self:
        """As a stream's metadata say it: none where they do not, as those of an earlier version."""
        leases, _, slots = (text or "").partition("x")
        if not (leases.isdecimal() and slots.isdecimal()):
            return cls(0, 0)
        return cls(int(leases), int(slots))
