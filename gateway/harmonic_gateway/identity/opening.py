"""Composes the parts that identify clients: keys, revocations, and the standing of tokens."""

from typing import NamedTuple

from harmonic_gateway.identity.keys import Keys
from harmonic_gateway.identity.revocations import Revocations
from harmonic_gateway.identity.services import ServiceKeys, all_tokens
from harmonic_gateway.identity.standing import Standing
from harmonic_gateway.settings import GatewaySettings
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import Clock
from harmonic_runtime.process.lifecycle import Tasks


class Identities(NamedTuple):
    """The parts that identify clients."""

    keys: Keys
    service_keys: ServiceKeys
    revocations: Revocations
    standing: Standing


def open_identities(
    bus: Bus,
    settings: GatewaySettings,
    clock: Clock,
    *,
    tasks: Tasks,
    metrics: Metrics,
    log: BoundLogger,
) -> Identities:
    """Compose the parts and begin to read the keys.

    ``clock`` is the host's own, since the issuers of tokens do not use the broker's time.
    """
    keys = Keys.configured(settings, metrics=metrics, log=log)
    tasks.start(keys.keep_fresh(), name="keys")
    service_keys = ServiceKeys(settings.service_secrets)
    revocations = Revocations(bus, metrics=metrics, log=log)
    tokens = all_tokens(settings, keys, service_keys, clock)
    return Identities(keys, service_keys, revocations, Standing(tokens, revocations, clock))
