"""Telling an owner that loads a universe how far members here were sent its log."""

from contextlib import suppress

from harmonic_gateway.membership.memberships import Memberships
from harmonic_protocol import subjects
from harmonic_protocol.internal import LogEndSeen
from harmonic_runtime.bus.client import Bus, BusUnavailable


class Witness:
    """What this gateway knows of logs: more than their streams, where these have lost something."""

    def __init__(self, bus: Bus, gateway_id: str, memberships: Memberships) -> None:
        self._bus = bus
        self._gateway_id = gateway_id
        self._memberships = memberships

    def testify(self, universe_id: str, reply: str) -> None:
        """Answer an owner; who asks for an answer that is to go elsewhere gets none."""
        if subjects.is_reserved(reply):
            return
        logs = self._memberships.logs
        seen = LogEndSeen(
            gateway_id=self._gateway_id,
            position=logs.position(universe_id) or 0,
            seq=logs.seq(universe_id),
        )
        # An owner without an answer goes on in time.
        with suppress(BusUnavailable):
            self._bus.post(reply, seen.to_json())
