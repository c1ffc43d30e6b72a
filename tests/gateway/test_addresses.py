"""Where a request comes from, when somebody in between says so."""

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from harmonic_gateway.allowlists import networks
from harmonic_gateway.http.addresses import client_address, counted_as

PROXIES = networks("10.0.0.0/8, fd00::/8")
HOPS = st.sampled_from(
    ["10.0.0.9", "1.2.3.4", "fd00::1", "2001:db8::1", "unknown", "", "1.2.3.4:5"]
)


def address(remote: str, *forwarded: str) -> str:
    headers = [("X-Forwarded-For", value) for value in forwarded]
    request = make_mocked_request("GET", "/", headers=headers)
    return client_address(request.clone(remote=remote), PROXIES)


def test_without_a_proxy_it_is_the_peer() -> None:
    assert address("1.2.3.4") == "1.2.3.4"


def test_what_a_stranger_says_of_itself_is_not_believed() -> None:
    assert address("1.2.3.4", "5.6.7.8") == "1.2.3.4"


def test_what_a_trusted_proxy_says_is_believed() -> None:
    assert address("10.0.0.1", "1.2.3.4") == "1.2.3.4"


def test_what_a_client_said_to_a_trusted_proxy_is_not_believed() -> None:
    assert address("10.0.0.1", "5.6.7.8, 1.2.3.4") == "1.2.3.4"


def test_trusted_proxies_in_a_row_are_passed_over() -> None:
    assert address("10.0.0.1", "5.6.7.8, 1.2.3.4, 10.0.0.2, fd00::3") == "1.2.3.4"


def test_a_header_that_comes_twice_is_one_list() -> None:
    assert address("10.0.0.1", "5.6.7.8", "1.2.3.4") == "1.2.3.4"


def test_nonsense_ends_what_is_believed() -> None:
    assert address("10.0.0.1", "5.6.7.8, unknown, 10.0.0.2") == "10.0.0.2"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("1.2.3.4:567", "1.2.3.4"),
        ("[2001:db8::1]:567", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
    ],
)
def test_an_address_is_the_same_however_it_is_written(said: str, meant: str) -> None:
    assert address("10.0.0.1", said) == meant


def test_a_proxy_that_comes_in_ipv6s_clothes_is_known() -> None:
    assert address("::ffff:10.0.0.1", "1.2.3.4") == "1.2.3.4"


@given(st.lists(HOPS, max_size=30))
def test_a_client_cannot_choose_its_address(made_up: list[str]) -> None:
    assert address("10.0.0.1", ",".join([*made_up, "1.2.3.4"])) == "1.2.3.4"


@pytest.mark.parametrize("text", ["nonsense", "10.0.0.1/8", "10.0.0.0/33"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must list networks"):
        networks(text)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
        ("", ""),
    ],
)
def test_an_address_of_ipv6_is_counted_as_its_network(address: str, counted: str) -> None:
    assert counted_as(address) == counted
