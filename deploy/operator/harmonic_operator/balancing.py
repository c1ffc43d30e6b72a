"""Which gateways give how many clients away, so that all have about the same number. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

#: The most that the fullest gateway may have, as a multiple of the mean, before anybody is moved.
TOLERATED = 1.1
#: While clients come back, a gateway takes new ones up to this multiple of the mean.
FILLED_TO = 1.05


@dataclass(frozen=True, slots=True)
class Share:
    """What one gateway is to do: give ``clients`` away, and take none from ``most`` on."""

    clients: int
    most: int


def imbalance(connections: Mapping[str, int]) -> float:
    """The connections of the fullest gateway, as a multiple of the mean; 1 if there are none."""
    total = sum(connections.values())
    return max(connections.values()) * len(connections) / total if total else 1.0


def shares(connections: Mapping[str, int]) -> dict[str, Share]:
    """What each gateway is to do; nothing where they are close enough already.

    Those above the mean give the rest away, and all are filled up to a little above it, which is
    rounded up to whole clients: there is room for every client, whatever the balancer's choice, and
    none has to be moved again.
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
    """How many clients more those gateways have that have more than before."""
    return sum(max(0, count - before.get(name, 0)) for name, count in after.items())
