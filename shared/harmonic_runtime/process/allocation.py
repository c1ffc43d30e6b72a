"""Keeping freed memory for the next message."""

import ctypes
from contextlib import suppress

#: Parameters of glibc's ``mallopt(3)``.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
#: Blocks of at least so many bytes come from the kernel and go back to it: more than a message has.
FROM_KERNEL_BYTES = 3 * 512 * 1024
#: So many freed bytes are kept: what it takes to read one of the largest messages, with its copies.
KEPT_BYTES = 8 * 1024 * 1024


def keep_freed_memory() -> None:
    """Make the C library keep memory that it would return to the kernel after each large message.

    The kernel takes longer to clear the pages again than the process takes to read a message into
    them: a message of 1 MiB costs half. Does nothing if the C library is not glibc.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, FROM_KERNEL_BYTES)
        library.mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
