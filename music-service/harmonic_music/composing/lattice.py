"""A weighted random walk that ends at a required place.

Each moment has places with weights, and each pair of successive places has a weight. One pass
backwards computes for each place how good its continuations are. A pass forwards draws each place
by the product of the three. So a progression reaches its cadence, and a melody its goal, without
later corrections.
"""

from collections.abc import Callable, Mapping, Sequence

#: Prospects are scaled below this, to keep the integers small.
_CEILING = 1 << 24

Weights = Mapping[int, int]
#: The weight of a place after another.
Transitions = Sequence[Sequence[int]]


def prospects(
    moments: Sequence[Weights], transitions: Sequence[Transitions]
) -> list[dict[int, int]]:
    """For each moment, how good the continuations of each place are; always above zero."""
    found = [dict.fromkeys(moments[-1], _CEILING)]
    for following in reversed(range(1, len(moments))):
        after = found[-1]
        worth = [(place, weight * after[place]) for place, weight in moments[following].items()]
        sums = {}
        for place in moments[following - 1]:
            row = transitions[following][place]
            sums[place] = sum([row[other] * value for other, value in worth])
        divisor = max(1, max(sums.values()) // _CEILING)
        found.append({place: value // divisor + 1 for place, value in sums.items()})
    return found[::-1]


def walk(
    moments: Sequence[Weights],
    transitions: Sequence[Transitions],
    start: int | None,
    place_of: Callable[[Sequence[int]], int],
    adjusted: Callable[[list[int], Sequence[int], list[int], int], list[int]] | None = None,
) -> list[int]:
    """One place for each moment; ``start`` is the place before the first.

    ``transitions`` are those that lead to each moment.

    ``adjusted`` may change the weights, given the walk so far, the places and the moment.
    """
    ahead = prospects(moments, transitions)
    went: list[int] = []
    last = start
    for number, (weights, prospect) in enumerate(zip(moments, ahead, strict=True)):
        places = list(weights)
        if len(places) == 1:
            last = places[0]
            went.append(last)
            continue
        if last is None:
            values = [weights[place] * prospect[place] for place in places]
        else:
            row = transitions[number][last]
            values = [weights[place] * prospect[place] * row[place] for place in places]
        if adjusted is not None:
            values = adjusted(values, places, went, number)
        # If no place has weight, all are equally likely.
        last = places[place_of(values if any(values) else [1] * len(places))]
        went.append(last)
    return went
