"""The secrets by which clients are known that come back."""

from hypothesis import given
from hypothesis import strategies as st

from harmonic_gateway.identity.pids import Pids

PIDS = Pids("the gateways' secret")


@given(st.text(min_size=1, max_size=255), st.text(min_size=1, max_size=255))
def test_a_pid_is_good_for_its_user_at_any_gateway_and_for_nobody_else(
    user: str, other: str
) -> None:
    pid = PIDS.issue(user)
    assert Pids("the gateways' secret").is_good(pid, user)
    assert PIDS.is_good(pid, other) == (user == other)
    assert not Pids("another secret").is_good(pid, user)
    assert PIDS.issue(user) != pid


@given(st.text() | st.none() | st.integers() | st.lists(st.text()))
def test_what_nobody_issued_is_not_good(pid: object) -> None:
    assert not PIDS.is_good(pid, "ann")


def test_a_secret_that_was_replaced_is_believed_while_it_is_named() -> None:
    pids = Pids("first")
    old = pids.issue("ann")
    pids.replace_secrets("second", "first")
    new = pids.issue("ann")
    assert pids.is_good(old, "ann")
    assert Pids("second").is_good(new, "ann")
    assert not Pids("first").is_good(new, "ann")
    pids.replace_secrets("second")
    assert not pids.is_good(old, "ann")
