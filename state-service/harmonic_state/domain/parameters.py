"""Changing parameters: merged field by field, the last writer wins."""

from harmonic_protocol.envelope import Caller
from harmonic_protocol.messages.parameters import PARAMETER_SETS
from harmonic_protocol.messages.sets import ParameterCommand, ParametersUpdated
from harmonic_protocol.refusals import Refused
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.presence import DecisionInputs, editable
from harmonic_state.domain.universe import Universe


def update(
    universe: Universe | None, request: ParameterCommand, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """One event for each set that the command names, all of them or none."""
    seen = editable(universe, caller)
    if not isinstance(seen, Universe):
        return seen
    return [*changed(seen, request, caller, moment)]


def changed(
    universe: Universe, request: ParameterCommand, caller: Caller, moment: DecisionInputs
) -> tuple[ParametersUpdated, ...]:
    """The events of :func:`update` in a universe that the caller may edit."""
    events: list[ParametersUpdated] = []
    for name, changes in request.changes().items():
        declared = PARAMETER_SETS[name]
        named, values = changes.model_fields_set, vars(changes)
        sent = {field: values[field] for field in declared.names if field in named}
        events.append(
            declared.event.assembled(
                {
                    "universe_id": universe.id,
                    "user_id": caller.user_id,
                    "timestamp": moment.timestamp,
                    "changed": tuple(map(declared.names.__getitem__, sent)),
                    "seq": universe.seq + len(events) + 1,
                    "current": None,
                    "replayed": None,
                    "service": caller.service or None,
                    "parameters": declared.of(universe.parameters).revised(sent),
                }
            )
        )
    return tuple(events)
