"""How an allowance is divided between leases for gateways and single grants. Pure.

A *lease* is a part of a user's allowance that one gateway grants by itself: at most ``slots``
requests in any window. All leases together are at most half of the allowance. So whatever gateway
holds them, every gateway can be granted requests from the other half.
"""

from typing import NamedTuple, Self

from harmonic_protocol.messages.declaration import RateClass

#: The allowances that may be leased: those of frequent commands.
LEASED_RATES = (RateClass.PARAMETERS,)
#: The number of leases of an allowance, and the part of it that each one is.
LEASES = 4
PARTS = 8
#: A lease of fewer slots than this costs more than it saves.
MIN_SLOTS = 2
#: Seconds for which a gateway grants from a lease after it asked for it, or for its renewal.
VALID_S = 60
#: The key under which the stream of single grants stores the division, in its metadata.
METADATA = "harmonic_leases"


class Division(NamedTuple):
    """The number of ``leases``, and the ``slots`` of each; both 0 if nothing is leased."""

    leases: int
    slots: int

    @classmethod
    def of(cls, allowed: int) -> Self:
        """The division of an allowance."""
        slots = allowed // PARTS
        return cls(LEASES, slots) if slots >= MIN_SLOTS else cls(0, 0)

    @property
    def leased(self) -> int:
        """The requests that all leases may grant in a window."""
        return self.leases * self.slots

    def written(self) -> str:
        """The division as text for a stream's metadata."""
        return f"{self.leases}x{self.slots}"

    @classmethod
    def read(cls, text: str | None) -> Self:
        """The division in a stream's metadata; none if there is no text, as in earlier versions."""
        leases, _, slots = (text or "").partition("x")
        if not (leases.isdecimal() and slots.isdecimal()):
            return cls(0, 0)
        return cls(int(leases), int(slots))
