"""Secrets and certificates that are replaced in their files while clients are connected."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import socketio

from harmonic_local.tokens import make_token
from harness.certificates import Authority
from harness.operator import harmonic
from harness.world import World, started
from operate.series import scrape

CLIENTS = 50
ROTATED = '"files":"{}","event":"file_rotated"'
NOT_AFTER = "harmonic_certificate_not_after_timestamp_seconds"
ENDS = "gateway gateway-1 shows clients a certificate that ends on"
FIRST, SECOND = "the-first-secret-which-is-long-enough", "the-second-secret-long-enough-too"


async def serial_shown(port: int, trusted: ssl.SSLContext) -> str:
    """The serial number of the certificate that a new connection is shown."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted)
    shown = writer.get_extra_info("peercert")
    writer.close()
    await writer.wait_closed()
    return str(shown["serialNumber"])


def replace(file: Path, text: str) -> None:
    """Replace a file as those do who rotate secrets: by renaming another into its place."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.rename(file)


async def test_everything_is_replaced_under_fifty_clients(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    shown = authority.issue("127.0.0.1")
    # It ends soon, which operators are told.
    soon = datetime.now(UTC) + timedelta(days=20)
    next_shown = authority.issue("127.0.0.1", ends=soon)
    secret, old_secrets = tmp_path / "jwt-secret", tmp_path / "jwt-old-secrets"
    secret.write_text(f"{FIRST}\n")
    old_secrets.write_text("a secret of long ago, which nobody uses")
    async with (
        started(
            tmp_path / "stack",
            gateways=1,
            musics=0,
            HARMONIC_TLS_CERT_FILE=str(shown.cert_file),
            HARMONIC_TLS_KEY_FILE=str(shown.key_file),
            HARMONIC_JWT_SECRET_FILE=str(secret),
            HARMONIC_JWT_OLD_SECRETS_FILE=str(old_secrets),
            HARMONIC_GUEST_TOKENS="true",
        ) as stack,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=authority.trusted(), limit=0)
        ) as http,
    ):
        world = World(stack, http)
        (port,) = stack.gateway_ports
        clients = [
            await world.client("ann", token=make_token(FIRST, f"user-{number}"), http=http)
            for number in range(CLIENTS)
        ]
        before = await serial_shown(port, authority.trusted())

        replace(old_secrets, "another-secret-of-long-ago")
        replace(secret, SECOND)
        await world.logged(ROTATED.format("secrets"))
        replace(shown.cert_file, next_shown.cert_file.read_text())
        replace(shown.key_file, next_shown.key_file.read_text())
        await world.logged(ROTATED.format("certificate"))

        assert await serial_shown(port, authority.trusted()) != before
        async with aiohttp.ClientSession() as plain:
            metrics = await scrape(plain, stack.ops_urls["gateway-1"])
        assert metrics.value(NOT_AFTER, certificate="clients") == int(soon.timestamp())
        assert ENDS not in (await harmonic(stack, "status")).errors
        ran = await harmonic(stack, "status", "--certificate-days", "30")
        assert ran.status == 1
        assert f"{ENDS} {soon:%Y-%m-%d %H:%M} UTC." in ran.errors
        newcomer = await world.client("new", token=make_token(SECOND, "new"), http=http)
        await newcomer.hears("connect_success")
        asked = {"name": "Guest", "key": "a-key-of-22-characters"}
        async with http.post(f"{stack.urls[0]}/guest-tokens", json=asked) as answer:
            guest = await world.client("guest", token=(await answer.json())["token"], http=http)
        await guest.hears("connect_success")
        headers = {"Authorization": f"Bearer {make_token(FIRST, 'late')}"}
        async with http.get(f"{stack.urls[0]}/api/v1/universes", headers=headers) as answer:
            assert answer.status == 401
        assert not any(client.gone.is_set() for client in clients)
        await asyncio.gather(*(client.asks("time_sync", t0=0) for client in clients))
        await world.close()


async def test_a_client_comes_back_after_the_session_secret_was_replaced(tmp_path: Path) -> None:
    secret, old_secrets = tmp_path / "session-secret", tmp_path / "session-old-secrets"
    secret.write_text(FIRST)
    old_secrets.write_text("nothing-that-was-ever-used")
    async with (
        started(
            tmp_path / "stack",
            gateways=1,
            musics=0,
            HARMONIC_SESSION_SECRET_FILE=str(secret),
            HARMONIC_SESSION_OLD_SECRETS_FILE=str(old_secrets),
        ) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe = await world.universe()
        ann = await world.client("ann", comes_back=True)
        greeting = await ann.hears("connect_success")
        await ann.joins(universe)

        replace(old_secrets, FIRST)
        replace(secret, SECOND)
        await world.logged(ROTATED.format("secrets"))
        await ann.vanishes()

        heard: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        back = socketio.AsyncClient(reconnection=False, http_session=http)

        async def hear(event: str, *args: Any) -> None:
            await heard.put((event, args[0]))

        back.on("*", hear, namespace="/ws")
        said = {"token": world.token("ann"), "pid": greeting["pid"]}
        await back.connect(stack.urls[0], auth=said, namespaces=["/ws"])
        event, greeted = await heard.get()
        assert (event, greeted["recovered"]) == ("connect_success", True)
        while (await heard.get())[0] != "room_joined":
            pass
        await back.disconnect()
        await world.close()
