"""Changing parameters: merged field by field, the last writer wins."""

from harmonic_protocol.envelope import Caller
from harmonic_protocol.messages.parameters import PARAMETER_SETS
from harmonic_protocol.messages.sets import ParameterCommand
from harmonic_protocol.refusals import Refused
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.presence import DecisionInputs, editable
from harmonic_state.domain.universe import Universe


def update(
    universe: Universe | None, request: ParameterCommand, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """One event for each set that the command names, all of them or none."""
    seen = editable(universe, caller)
    if isinstance(seen, Refused):
        return seen
    events: list[LogEvent] = []
    for name, changes in request.changes().items():
        current = PARAMETER_SETS[name].of(seen.parameters)
        sent = {field: getattr(changes, field) for field in changes.model_fields_set}
        fields = type(changes).model_fields
        changed = tuple(fields[key].alias or key for key in fields if key in sent)
        events.append(
            PARAMETER_SETS[name].event(
                universe_id=seen.id,
                parameters=current.revised(sent),
                user_id=caller.user_id,
                timestamp=moment.timestamp,
                changed=changed,
                seq=seen.seq + len(events) + 1,
                service=caller.service or None,
            )
        )
    return events
