"""Reloads the gateway's secrets and its certificate when their files are replaced."""

import ssl
from functools import partial
from pathlib import Path

from harmonic_gateway.identity.keys import Keys
from harmonic_gateway.identity.proofs import Proofs
from harmonic_gateway.identity.services import ServiceKeys
from harmonic_gateway.settings import GatewaySettings
from harmonic_runtime.process.certificates import shown_until
from harmonic_runtime.process.rotation import RotatedFiles


def rotated_files(
    settings: GatewaySettings,
    keys: Keys,
    service_keys: ServiceKeys,
    proofs: Proofs,
    tls: ssl.SSLContext | None,
) -> list[RotatedFiles]:
    """The files of the gateway's secrets, and of its certificate for clients.

    Existing connections are not affected: a new certificate applies to the next handshake, and a
    new secret to the next token.
    """

    def reload_secrets() -> None:
        now = settings.with_secrets_anew()
        keys.replace_secrets(now.secrets)
        service_keys.replace_secrets(now.service_secrets)
        proofs.replace_secrets(*now.recovery_secrets)

    found = [RotatedFiles("secrets", settings.secret_files, reload_secrets)]
    certificate, key = settings.tls_cert_file, settings.tls_key_file
    if tls is not None and certificate is not None and key is not None:
        paths = (Path(certificate), Path(key))
        found.append(
            RotatedFiles(
                "certificate",
                paths,
                lambda: tls.load_cert_chain(certificate, key),
                {"clients": partial(shown_until, Path(certificate))},
            )
        )
    return found
