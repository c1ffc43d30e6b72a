"""The one place that asks the operating system for randomness."""

import random
import secrets

ID_BYTES = 16
#: Seeds stay below 2**53, so that a JSON number carries them exactly in every language.
SEED_BITS = 53
#: The ids of a trace and of its first span.
_TRACE_BITS = 128 + 64


def new_id() -> str:
    """A fresh id nobody can guess: 128 bits in 22 characters, letters, digits, ``_`` and ``-``."""
    return secrets.token_urlsafe(ID_BYTES)


def new_seed() -> int:
    """A fresh seed from 0 up to, and excluding, 2**53."""
    return secrets.randbits(SEED_BITS)


#: Ids of traces have to differ, and are no secret: the operating system seeds their generator once.
_trace_ids = random.Random()  # noqa: S311


def new_trace() -> str:
    """A new W3C trace context that is not sampled, in its ``traceparent`` form."""
    ids = f"{_trace_ids.getrandbits(_TRACE_BITS):048x}"
    return f"00-{ids[:32]}-{ids[32:]}-00"
