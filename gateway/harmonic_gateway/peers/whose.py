"""Whose a session id is: it names the gateway, and the process, that gave it out. Pure."""

import re

#: The gateway's name, for balancers; the process, for gateways; and the secret.
_SID = re.compile(r"[a-z0-9-]{1,32}\.([A-Za-z0-9_-]{1,64})\.[A-Za-z0-9_-]{1,64}")


def giver(sid: str) -> str | None:
    """The id of the gateway that gave a session id out; ``None`` if none did."""
    found = _SID.fullmatch(sid)
    return found[1] if found is not None else None
