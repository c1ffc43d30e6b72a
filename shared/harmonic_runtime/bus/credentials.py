"""What a service is known by at the broker, taken into use anew when its files are replaced."""

from pathlib import Path

from harmonic_runtime.bus.client import Bus
from harmonic_runtime.process.rotation import RotatedFiles
from harmonic_runtime.process.settings import ServiceSettings


def rotated_credentials(settings: ServiceSettings, bus: Bus) -> list[RotatedFiles]:
    """The files with the user, the password and the certificate that the broker is shown.

    They are used from the next connection on: the one that exists is not concerned.
    """
    certificate = (settings.nats_cert_file, settings.nats_key_file)
    paths = [*settings.secret_files, *(Path(path) for path in certificate if path is not None)]

    def use() -> None:
        bus.link.use_credentials(settings.with_secrets_anew())

    return [RotatedFiles("bus credentials", paths, use)] if paths else []
