"""Gateways that share an instance name, which must be unique.

Session ids begin with it, and balancers route on it. Each gateway announces its name.
"""

from contextlib import AbstractAsyncContextManager

from harmonic_gateway import metrics as table
from harmonic_gateway.settings import GatewaySettings
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.directory import Directory, announce
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog

#: How often a gateway says that it lives; owners wait for several of these.
ANNOUNCE_INTERVAL_S = 2.0
#: How often names are compared. A gateway that was restarted does not meet its former self: that is
#: believed to live for a shorter time.
LOOK_INTERVAL_S = 10.0
_INSTANCE = "Hu-Instance"


def announced(
    bus: Bus, settings: GatewaySettings, gateway_id: str
) -> AbstractAsyncContextManager[None]:
    """Announce the gateway and its name while the block runs, but not its end."""
    return announce(
        bus,
        service="gateway",
        replica_id=gateway_id,
        interval_s=ANNOUNCE_INTERVAL_S,
        farewell=False,
        facts={_INSTANCE: settings.instance},
    )


class Namesakes:
    """Notices other gateways with the name of this one."""

    def __init__(
        self,
        gateways: Directory,
        settings: GatewaySettings,
        gateway_id: str,
        *,
        metrics: Metrics,
        log: SampledLog,
    ) -> None:
        self._gateways = gateways
        self._name = settings.instance
        self._own_id = gateway_id
        self._log = log
        self._found: frozenset[str] = frozenset()
        metrics.gauge_from(table.NAMESAKES, lambda: len(self._found))

    def look(self) -> None:
        """Compare the names of all gateways that are alive."""
        self._found = frozenset(
            each
            for each in self._gateways.live()
            if each != self._own_id and self._gateways.fact(each, _INSTANCE) == self._name
        )
        for other in self._found:
            self._log.error("instance_name_taken", kind=other, instance=self._name, other=other)
