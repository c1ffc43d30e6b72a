"""TLS at the gateway itself: two settings, and nobody hears what is said."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from harmonic_gateway.http.listening import tls_context
from harmonic_gateway.settings import GatewaySettings
from harmonic_local.stack import Stack
from harmonic_runtime.process.failures import CannotStart
from harmonic_runtime.process.settings import load_settings
from harness.certificates import Authority
from harness.javascript import VERSIONS, javascript
from harness.world import World, started


@dataclass(frozen=True)
class Secure:
    """A product that speaks TLS, and who signed its certificate."""

    stack: Stack
    authority: Authority


@pytest.fixture(scope="module")
async def secure(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secure]:
    folder = tmp_path_factory.mktemp("secure")
    authority = Authority(folder / "authority")
    own = authority.issue("127.0.0.1")
    async with started(
        folder / "stack",
        gateways=1,
        musics=0,
        HARMONIC_TLS_CERT_FILE=str(own.cert_file),
        HARMONIC_TLS_KEY_FILE=str(own.key_file),
    ) as stack:
        yield Secure(stack, authority)


@pytest.fixture
async def vault(secure: Secure) -> AsyncIterator[World]:
    connector = aiohttp.TCPConnector(ssl=secure.authority.trusted())
    async with aiohttp.ClientSession(connector=connector) as http:
        view = World(secure.stack, http)
        yield view
        await view.close()


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
async def test_the_python_client_works_over_tls(vault: World, transports: list[str]) -> None:
    universe = await vault.universe()
    options: dict[str, Any] = {"http": vault.http, "transports": transports}
    ann = await vault.client("ann", **options)
    ben = await vault.client("ben", **options)
    await ann.joins(universe)
    await ben.joins(universe)

    await ann.says("update_physics", universeId=universe, parameters={"gravity": 3})

    await ann.hears("physics_updated", userId="ann")
    await ben.hears("physics_updated", userId="ann")


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_javascript_client_works_over_tls(
    vault: World, secure: Secure, version: str
) -> None:
    universe = await vault.universe()
    async with javascript(NODE_EXTRA_CA_CERTS=str(secure.authority.ca_file)) as bridge:
        ann = bridge.client("ann", version)
        url = vault.stack.urls[0].replace("https:", "wss:")
        await ann.opens(
            f"const socket = io('{url}/ws', {{auth: {{token: '{vault.token('ann')}'}}}})"
        )
        await ann.hears("connect")
        await ann.runs(f"socket.emit('join_room', {{universeId: '{universe}', mode: 'edit'}})")
        await ann.hears("room_joined")
        await ann.runs("socket.close()")


async def test_over_tls_browsers_are_told_to_come_by_tls_alone(vault: World) -> None:
    async with vault.http.get(f"{vault.stack.urls[0]}/healthz") as answer:
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_whoever_does_not_speak_tls_learns_nothing(vault: World) -> None:
    plain = vault.stack.urls[0].replace("https:", "http:")
    with pytest.raises(aiohttp.ClientError):
        await vault.http.get(f"{plain}/healthz")


async def test_tls_of_old_is_not_spoken(vault: World, secure: Secure) -> None:
    old = secure.authority.trusted()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(aiohttp.ClientConnectorError):
        await vault.http.get(f"{vault.stack.urls[0]}/healthz", ssl=old)


@pytest.mark.parametrize("name", ["TLS_CERT_FILE", "TLS_KEY_FILE"])
def test_one_file_without_the_other_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HARMONIC_JWT_SECRET", "long enough for a secret")
    monkeypatch.setenv(f"HARMONIC_{name}", "file.pem")
    with pytest.raises(SystemExit):
        load_settings(GatewaySettings)

    assert capsys.readouterr().err == (
        "HARMONIC_TLS_CERT_FILE and HARMONIC_TLS_KEY_FILE go together.\n"
    )


def test_files_that_are_no_certificate_are_told_in_a_sentence(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    settings = GatewaySettings.model_validate(
        {
            "jwt_secret": "long enough for a secret",
            "tls_cert_file": str(nothing),
            "tls_key_file": str(nothing),
        }
    )
    with pytest.raises(CannotStart, match="see HARMONIC_TLS_CERT_FILE"):
        tls_context(settings)
