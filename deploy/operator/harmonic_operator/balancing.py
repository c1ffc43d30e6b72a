"""How many clients each gateway must close, so that all have about the same number. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

#: The fullest gateway's multiple of the mean up to which nobody is moved.
TOLERATED = 1.1
#: While clients reconnect, a gateway takes new ones up to this multiple of the mean.
FILLED_TO = 1.05


@dataclass(frozen=True, slots=True)
class Share:
    """A gateway's part: close ``clients``, and take no new one at ``most`` or more."""

    clients: int
    most: int


def imbalance(connections: Mapping[str, int]) -> float:
    """The connections of the fullest gateway, as a multiple of the mean; 1 if there are none."""
    total = sum(connections.values())
    return max(connections.values()) * len(connections) / total if total else 1.0


def shares(connections: Mapping[str, int]) -> dict[str, Share]:
    """The part of each gateway; empty if they are close enough already.

    Those above the mean close the excess. All take new clients up to a little above the mean,
    rounded up to whole clients. So there is space for every client, whichever gateway the balancer
    chooses, and none has to be moved again.
    """
    if not connections or imbalance(connections) <= TOLERATED:
        return {}
    mean = sum(connections.values()) / len(connections)
    kept, most = math.ceil(mean), math.ceil(mean * FILLED_TO)
    return {
        gateway: Share(max(0, count - kept), most if count <= kept else kept)
        for gateway, count in connections.items()
    }


def taken(before: Mapping[str, int], after: Mapping[str, int]) -> int:
    """The sum of additional clients at those gateways that have more than before."""
    return sum(max(0, count - before.get(name, 0)) for name, count in after.items())
