"""A service's credentials at the broker, reloaded when their files are replaced."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from harmonic_runtime.bus.client import Bus
from harmonic_runtime.process.certificates import shown_until, trusted_until
from harmonic_runtime.process.rotation import RotatedFiles
from harmonic_runtime.process.settings import ServiceSettings


def rotated_credentials(settings: ServiceSettings, bus: Bus) -> list[RotatedFiles]:
    """The files with the user, the password and the certificates: the own one, and authorities.

    They are used from the next connection on. The existing connection is not affected.
    """
    names = (settings.nats_ca_file, settings.nats_cert_file, settings.nats_key_file)
    paths = [*settings.secret_files, *(Path(name) for name in names if name is not None)]
    ends: dict[str, Callable[[], float]] = {}
    if settings.nats_ca_file is not None:
        ends["bus_authority"] = partial(trusted_until, Path(settings.nats_ca_file))
    if settings.nats_cert_file is not None:
        ends["bus"] = partial(shown_until, Path(settings.nats_cert_file))

    def use() -> None:
        bus.link.use_credentials(settings.with_secrets_anew())

    return [RotatedFiles("bus credentials", paths, use, ends)] if paths else []
