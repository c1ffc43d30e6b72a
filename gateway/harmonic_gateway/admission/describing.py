"""What a gateway adds to its description for operators."""

from harmonic_gateway.identity.keys import Keys
from harmonic_gateway.identity.proofs import Proofs
from harmonic_gateway.identity.services import ServiceKeys
from harmonic_gateway.limits.switches import Switches
from harmonic_operated.operated import Adding


def describing(switches: Switches, keys: Keys, service_keys: ServiceKeys, proofs: Proofs) -> Adding:
    """What is switched off, and digests by which operators compare gateways' secrets."""

    def added(_asked: object) -> dict[str, object]:
        secrets = {
            "tokens": keys.fingerprint,
            "services": service_keys.fingerprint,
            "sessions": proofs.fingerprint,
        }
        known = {what: digest for what, digest in secrets.items() if digest}
        return {"switched_off": switches.off(), "secrets": known}

    return added
