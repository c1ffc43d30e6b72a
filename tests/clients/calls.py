"""Calls the HTTP API by a generated client: ``calls.py URL TOKEN`` writes what it saw as JSON.

It is run by the environment that the client was generated in, from the folder that holds it.
"""

import importlib
import json
import sys
from typing import Any


def of(name: str) -> Any:
    """A module of the generated client."""
    return importlib.import_module(f"harmonic_universe_client.{name}")


def main() -> None:
    """Make, change, share and delete a universe."""
    _, url, token = sys.argv
    client = of("client").AuthenticatedClient(base_url=url, token=token)
    models = of("models")

    def call(name: str, /, *where: str, **said: Any) -> Any:
        return of(f"api.default.{name}").sync_detailed(*where, client=client, **said)

    made = call("create_universe", body=models.CreateUniverse(name="Generated")).parsed
    at = made.id
    change = models.UpdateUniverse(name="Renamed", public_mode=models.Mode.EDIT)
    seen = call("update_universe", at, body=change).parsed
    role = models.SetMember(role=models.Mode.VIEW)
    member = call("set_member", at, "guest", body=role).parsed
    banned = call("ban_user", at, "guest")
    owner = call("get_universe", at).parsed
    events = call("list_events", at, after=0, limit=10).parsed
    music = call("list_music", at).parsed
    present = call("get_participants", at).parsed
    file = call("get_music", at, "missing")
    page = call("list_universes", limit=100).parsed
    gone = call("delete_universe", at)
    missing = call("get_universe", at)
    told = {
        "keys": [key.value for key in models.Key],
        "key": seen.parameters.music.key.value,
        "name": seen.name,
        "role": member.role.value,
        "banned": int(banned.status_code),
        "bans": list(owner.bans.additional_properties),
        "events": [item.event for item in events.items],
        "lastSeq": events.last_seq,
        "pieces": [item.key for item in music.items],
        "present": [item.user_id for item in present.items],
        "file": int(file.status_code),
        "listed": at in [item.id for item in page.items],
        "gone": int(gone.status_code),
        "missing": missing.parsed.error.code.value,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
