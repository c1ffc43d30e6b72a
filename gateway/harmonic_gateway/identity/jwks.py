"""Reads a JSON Web Key Set (RFC 7517) and selects the keys that may verify signatures. Pure.

Identity providers publish keys for other purposes and of other kinds in the same set. So entries
are read one by one. An entry that cannot be used is skipped, with the reason; the others count.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

PUBLIC_KEY_ALGORITHMS = ("RS256", "ES256", "EdDSA")
#: Entries that are read of one set; further ones are ignored.
MAX_KEYS = 100
#: Shorter RSA keys are not accepted (RFC 7518, section 3.3).
MIN_RSA_BITS = 2048
#: Characters of a key's id that a log line shows.
MAX_SHOWN_ID_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that is not used: its ``kid``, shortened for logs, and the reason."""

    key_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of a set, by algorithm and ``kid``, and its skipped entries.

    A key without a ``kid`` is kept under ``None``.
    """

    keys: Mapping[tuple[str, str | None], jwt.PyJWK] = field(default_factory=dict)
    skipped: Sequence[Skipped] = ()

    def find(self, algorithm: str, key_id: str | None) -> jwt.PyJWK | None:
        """The key for a token's header, by its ``kid``; ``None`` if there is none.

        If the token or the key has no ``kid``, the only key of the algorithm is used.
        """
        exact = self.keys.get((algorithm, key_id))
        if exact is not None and key_id is not None:
            return exact
        same = [(known, key) for (kind, known), key in self.keys.items() if kind == algorithm]
        if len(same) == 1 and (key_id is None or same[0][0] is None):
            return same[0][1]
        return None


def read_key_set(text: bytes) -> KeySet:
    """The keys of a published set.

    Raise ``ValueError`` or ``TypeError`` for a text that is not a set of keys, or that has no
    usable key: it is taken for a fault of its publisher.
    """
    document = json.loads(text)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise TypeError("no set of keys")
    keys: dict[tuple[str, str | None], jwt.PyJWK] = {}
    skipped: list[Skipped] = []
    for entry in entries[:MAX_KEYS]:
        key_id = entry.get("kid") if isinstance(entry, dict) else None
        found = _usable(entry, key_id)
        if isinstance(found, str):
            skipped.append(Skipped(str(key_id)[:MAX_SHOWN_ID_CHARACTERS], found))
        else:
            keys.setdefault((str(found.algorithm_name), key_id), found)
    if not keys:
        raise ValueError("no usable key")
    return KeySet(keys, tuple(skipped))


def _usable(entry: object, key_id: object) -> jwt.PyJWK | str:
    """The key of an entry, or why the entry cannot be used."""
    if not isinstance(entry, dict):
        return "is no object"
    problem = _problem(entry, key_id)
    if problem is not None:
        return problem
    try:
        key = jwt.PyJWK(entry)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        # Its curve or algorithm is unknown, or a part is missing.
        return "cannot be read"
    if key.algorithm_name not in PUBLIC_KEY_ALGORITHMS:
        return "is for another algorithm"
    is_short = isinstance(key.key, RSAPublicKey) and key.key.key_size < MIN_RSA_BITS
    return f"has less than {MIN_RSA_BITS} bits" if is_short else key


def _problem(entry: Mapping[str, Any], key_id: object) -> str | None:
    """Why an entry, by its own fields, may not verify signatures, if so."""
    operations = entry.get("key_ops", ["verify"])
    problems = {
        "kid is no text": not isinstance(key_id, str | None),
        "is no public key": entry.get("kty") not in ("RSA", "EC", "OKP"),
        "use is not sig": entry.get("use", "sig") != "sig",
        "key_ops has no verify": not isinstance(operations, list) or "verify" not in operations,
    }
    return next((problem for problem, is_there in problems.items() if is_there), None)
