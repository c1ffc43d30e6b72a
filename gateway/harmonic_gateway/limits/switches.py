"""Features that operators have switched off: every gateway refuses them until switched on again."""

from pydantic import ValidationError

from harmonic_protocol import subjects
from harmonic_protocol.messages.declaration import Command, Switch
from harmonic_protocol.operating import SwitchSet
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.following import Follower
from harmonic_runtime.observability.logs import BoundLogger

SWITCHED_OFF = refused(
    Code.PERMISSION_DENIED,
    "This is switched off for the time being",
    reason=Reason.SWITCHED_OFF,
)


class Switches:
    """The stored switches. A switch is on until an operator sets it off."""

    def __init__(self, bus: Bus, log: BoundLogger) -> None:
        self._log = log
        self._set: dict[str, SwitchSet] = {}
        self.follower = Follower(
            bus,
            subjects.OPERATOR_STREAM,
            subjects.SWITCH_SUBJECTS,
            self._note,
            lambda subject: self._log.error("switch_foreign", subject=subject),
            may_be_absent=True,
        )

    def off(self) -> tuple[Switch, ...]:
        """The switches that are off."""
        return tuple(switch for switch in Switch if self._is_off(switch))

    def refusal(self, command: type[Command]) -> Refused | None:
        """Why commands of this kind are refused at the moment, if they are."""
        switch = command.spec.switch
        return SWITCHED_OFF if switch is not None and self._is_off(switch) else None

    def _is_off(self, switch: Switch) -> bool:
        known = self._set.get(switch.value)
        return known is not None and not known.on

    def _note(self, subject: str, payload: bytes) -> None:
        name = subject.rpartition(".")[2]
        try:
            said = SwitchSet.model_validate_json(payload)
        except ValidationError:
            self._log.error("switch_malformed", switch=name)
            return
        known = self._set.get(name)
        # A stored message may be older than one that was received meanwhile.
        if known is None or known.at < said.at:
            self._set[name] = said
            self._log.info("switched", switch=name, on=said.on)
