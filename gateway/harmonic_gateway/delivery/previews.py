"""When a waiting preview is over: its update overtook it, or its user left."""

import json

from harmonic_gateway.sockets import Frame
from harmonic_protocol.messages.parameters import PARAMETER_SETS
from harmonic_protocol.messages.rooms import ParticipantLeft

_SETS = {one.event.spec.name: name for name, one in PARAMETER_SETS.items()}


def is_settled(preview: bytes, stored: Frame) -> bool:
    """Whether a stored event ends a preview.

    It changed all that the preview shows, and is of the same user; or the user has left with it.
    What cannot be read is over as well: the event has to be delivered.
    """
    changed_set = _SETS.get(stored.name)
    if changed_set is None and stored.name != ParticipantLeft.spec.name:
        return False
    event = json.loads(stored.data)
    try:
        shown = json.loads(preview)
        if shown["userId"] != event["userId"]:
            return False
        if changed_set is None:
            return True
        values = {name: shown[name] for name in PARAMETER_SETS if name in shown}
        fields = values.get(changed_set, {}).keys()
    except (ValueError, LookupError, TypeError, AttributeError):
        return True
    return values.keys() == {changed_set} and fields <= set(event["changed"])
