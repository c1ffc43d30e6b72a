"""When certificates end, read from their files."""

import _ssl
import ssl
from pathlib import Path


def shown_until(path: Path) -> float:
    """When the certificate that is shown ends, in Unix time: the first one of a file.

    Raise ``OSError`` or ``ValueError`` if there is none.
    """
    # The standard library decodes a certificate that was verified, or that is in a file: the
    # latter without a public name.
    decoded = _ssl._test_decode_cert(path)  # type: ignore[attr-defined]  # noqa: SLF001
    return float(ssl.cert_time_to_seconds(decoded["notAfter"]))


def trusted_until(path: Path) -> float:
    """When the last one of a file's authorities ends, in Unix time.

    Until then something can be verified: while an authority is replaced, both are in the file.
    Raise ``OSError`` if it cannot be read. A file without an authority, but with a certificate that
    is trusted for itself, is read as one that is shown.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(path)
    found = [ssl.cert_time_to_seconds(str(each["notAfter"])) for each in context.get_ca_certs()]
    return float(max(found)) if found else shown_until(path)
