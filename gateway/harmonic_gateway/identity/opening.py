"""The keys of tokens, and the verifier that uses them, as the settings say."""

from harmonic_gateway.identity.keys import Keys
from harmonic_gateway.identity.verification import Verifier
from harmonic_gateway.settings import GatewaySettings
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import Clock


def open_verifier(
    settings: GatewaySettings, clock: Clock, *, metrics: Metrics, log: BoundLogger
) -> tuple[Keys, Verifier]:
    """The keys, which are to be kept fresh, and the verifier."""
    keys = Keys(
        secrets=settings.secrets,
        jwks_url=settings.jwks_url,
        jwks_file=settings.jwks_file,
        metrics=metrics,
        log=log,
    )
    return keys, Verifier(keys, clock, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
