"""When a preview that still waits for its turn is over: an update of its fields went first."""

import json

from harmonic_gateway.sockets import Frame
from harmonic_protocol.messages.parameters import PARAMETER_SETS

_SETS = {one.event.spec.name: name for name, one in PARAMETER_SETS.items()}


def is_settled(preview: bytes, stored: Frame) -> bool:
    """Whether a stored event changed all that a preview shows, and is of the same user."""
    changed_set = _SETS.get(stored.name)
    if changed_set is None:
        return False
    shown, event = json.loads(preview), json.loads(stored.data)
    values = {name: shown[name] for name in PARAMETER_SETS if name in shown}
    return (
        shown["userId"] == event["userId"]
        and values.keys() == {changed_set}
        and values[changed_set].keys() <= set(event["changed"])
    )
