"""Which origins are let in, by how they are listed."""

import pytest

from harmonic_gateway.allowlists import origins, own_origins
from harmonic_gateway.http.origins import Origins


def lets_in(listed: str, origin: str) -> bool:
    return Origins(origins(listed)).lets_in(origin)


@pytest.mark.parametrize(
    ("listed", "origin"),
    [
        ("https://app.example", "https://app.example"),
        ("https://app.example", "HTTPS://App.Example"),
        ("https://app.example:443", "https://app.example"),
        ("https://app.example", "https://app.example:443"),
        ("http://app.example:80", "http://app.example"),
        ("https://a.example, https://b.example:8443", "https://b.example:8443"),
        ("https://app.example", "wss://app.example"),
        ("https://*.app.example", "https://a.app.example"),
        ("https://*.app.example", "https://a.b.app.example"),
        ("https://*.app.example:8443", "https://a.app.example:8443"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("null", "null"),
        ("file://", "file://"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("*", "anything at all"),
    ],
)
def test_a_listed_origin_is_let_in(listed: str, origin: str) -> None:
    assert lets_in(listed, origin)


@pytest.mark.parametrize(
    ("listed", "origin"),
    [
        ("", "https://app.example"),
        ("https://app.example", "http://app.example"),
        ("https://app.example", "https://app.example:8443"),
        ("https://app.example", "https://app.example.evil.example"),
        ("https://app.example", "https://evilapp.example"),
        ("https://app.example", "https://app.example/"),
        ("https://app.example", ""),
        ("https://app.example", "null"),
        ("https://*.app.example", "https://app.example"),
        ("https://*.app.example", "https://evilapp.example"),
        ("https://*.app.example", "https://a.app.example.evil.example"),
        ("https://*.app.example", "http://a.app.example"),
        ("https://*.app.example", "https://*.app.example"),
        ("https://*.app.example", "https://a.app.example:8443"),
        ("null", "file://"),
    ],
)
def test_another_is_not(listed: str, origin: str) -> None:
    assert not lets_in(listed, origin)


@pytest.mark.parametrize(
    "listed",
    [
        "app.example",
        "https://",
        "https://a b",
        "https://a.example/path",
        "https://a.*.example",
        "x*",
    ],
)
def test_what_is_no_origin_is_refused_with_a_sentence(listed: str) -> None:
    with pytest.raises(ValueError, match="must list origins as scheme://host:port"):
        origins(listed)


def test_the_gateways_own_addresses_are_the_origins_of_programs() -> None:
    own = Origins(own_origins("https://live.example, wss://other.example/ws"))
    assert own.lets_in("https://live.example")
    assert own.lets_in("wss://live.example")
    assert own.lets_in("https://other.example")
    assert not own.lets_in("https://app.example")


@pytest.mark.parametrize("listed", ["live.example", "*", "https://*.example", "ftp://a.example"])
def test_what_is_no_address_of_a_gateway_is_refused(listed: str) -> None:
    with pytest.raises(ValueError, match="must list addresses as https://host:port"):
        own_origins(listed)
