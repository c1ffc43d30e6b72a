"""``harmonic revoke`` and ``harmonic switch``: stored settings that apply on every gateway.

Times are the broker's: operators' own clocks are not synchronized with one another, or with
services.
"""

import asyncio

from harmonic_operator.auditing import note
from harmonic_operator.broker_time import broker_time
from harmonic_operator.connection import NotDone
from harmonic_operator.output import console, write_json
from harmonic_operator.replicas import Replicas, describe
from harmonic_protocol import subjects
from harmonic_protocol.messages.declaration import Switch
from harmonic_protocol.operating import Revoked, SwitchSet
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.process.clock import timestamp

STORE_TIMEOUT_S = 5.0
#: Seconds within which a switch applies everywhere; gateways that have not confirmed it are named.
IN_FORCE_S = 2.0
POLL_S = 0.1


async def revoke(bus: Bus, *, user: str | None, jti: str | None, as_json: bool) -> None:
    """Revoke all tokens of a user that were issued until now, or the token with that id."""
    subject = subjects.revoked_user(user) if user else subjects.revoked_token(str(jti))
    await store_revocation(Streams(bus), subject, (await broker_time(bus)).timestamp())
    await note(bus, "revoke", target=user, **({} if jti is None else {"jti": jti}))
    if as_json:
        write_json({"revoked": {"user": user} if user else {"jti": jti}})
        return
    what = f"All tokens of {user}" if user else f"The token {jti}"
    console.print(f"{what} issued until now: revoked, on every gateway.")


async def store_revocation(streams: Streams, subject: str, at_s: float) -> None:
    """Store a revocation, which all gateways receive."""
    await streams.append(subject, Revoked(at=at_s).to_json(), timeout_s=STORE_TIMEOUT_S)


async def switch(bus: Bus, which: Switch, *, on: bool, as_json: bool) -> None:
    """Set a switch, and wait until all gateways apply it.

    Raise :class:`NotDone` if one does not: it will, once it reaches the bus again.
    """
    said = SwitchSet(on=on, at=timestamp(await broker_time(bus)))
    await Streams(bus).append(
        subjects.switch(which.value), said.to_json(), timeout_s=STORE_TIMEOUT_S
    )
    await note(bus, "switch", switch=which.value, on=on)
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    gateways = await describe(bus, "gateway")
    while _others(gateways, which, on=on) and loop.time() < began_at + IN_FORCE_S:
        await asyncio.sleep(POLL_S)
        gateways = await describe(bus, "gateway")
    late = _others(gateways, which, on=on)
    if as_json:
        in_force = [each.instance for each in gateways.of("gateway") if each.instance not in late]
        write_json({"switch": which.value, "on": on, "inForce": in_force, "late": late})
    if late:
        raise NotDone(f"Stored, but not known to be in force yet at: {', '.join(late)}.")
    if not as_json:
        word = "on" if on else "off"
        console.print(f"{which.value} is {word}, on {len(gateways.described)} gateways.")


def _others(gateways: Replicas, which: Switch, *, on: bool) -> list[str]:
    """The gateways that do not apply a switch, or do not answer."""
    silent = [each.instance for each in gateways.silent]
    return [
        *silent,
        *(each.instance for each in gateways.of("gateway") if (which in each.switched_off) is on),
    ]
