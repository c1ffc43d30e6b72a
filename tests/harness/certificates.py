"""Certificates for a test, from an authority of its own."""

import itertools
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificate:
    """The files of a certificate, with its chain, and of its key."""

    cert_file: Path
    key_file: Path


class Authority:
    """Signs certificates; those who trust it need its ``ca_file``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._numbers = itertools.count(1)
        self._ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.ca_file)

    def issue(self, name: str, *, ends: datetime | None = None) -> Certificate:
        """A certificate for a host's name, or its address; it ``ends`` in some decades."""
        issued = self._ca.issue_cert(name, not_after=ends)
        number = next(self._numbers)
        certificate = Certificate(self._folder / f"{number}.cert", self._folder / f"{number}.key")
        issued.private_key_pem.write_to_path(certificate.key_file)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        certificate.cert_file.write_bytes(chain)
        return certificate

    def trusted(self) -> ssl.SSLContext:
        """How a client trusts it, and nobody else."""
        return ssl.create_default_context(cafile=self.ca_file)
