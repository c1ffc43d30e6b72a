"""The secrets by which clients are known that come back, and the ids of their sessions."""

from hypothesis import given
from hypothesis import strategies as st

from harmonic_gateway.identity.pids import Pids
from harmonic_gateway.identity.proofs import Proofs
from harmonic_gateway.identity.session_ids import SessionIds

PIDS = Pids(Proofs("the gateways' secret"))
SIDS = SessionIds(Proofs("the gateways' secret"), "gateway-1", "Abc_-9")


@given(st.text(min_size=1, max_size=255), st.text(min_size=1, max_size=255))
def test_a_pid_is_good_for_its_user_at_any_gateway_and_for_nobody_else(
    user: str, other: str
) -> None:
    pid = PIDS.issue(user)
    assert Pids(Proofs("the gateways' secret")).is_good(pid, user)
    assert PIDS.is_good(pid, other) == (user == other)
    assert not Pids(Proofs("another secret")).is_good(pid, user)
    assert PIDS.issue(user) != pid


@given(st.text() | st.none() | st.integers() | st.lists(st.text()))
def test_what_nobody_issued_is_not_good(pid: object) -> None:
    assert not PIDS.is_good(pid, "ann")


def test_a_secret_that_was_replaced_is_believed_while_it_is_named() -> None:
    proofs = Proofs("first")
    pids = Pids(proofs)
    old = pids.issue("ann")
    proofs.replace_secrets("second", "first")
    new = pids.issue("ann")
    assert pids.is_good(old, "ann")
    assert Pids(Proofs("second")).is_good(new, "ann")
    assert not Pids(Proofs("first")).is_good(new, "ann")
    proofs.replace_secrets("second")
    assert not pids.is_good(old, "ann")


def test_any_gateway_tells_which_one_made_a_session_id() -> None:
    sid = SIDS.issue()
    other = SessionIds(Proofs("another", "the gateways' secret"), "gateway-2", "other")
    assert other.giver(sid) == "Abc_-9"
    assert sid.startswith("gateway-1.Abc_-9.")
    assert SIDS.issue() != sid


@given(st.integers(min_value=0), st.characters())
def test_a_session_id_that_was_changed_anywhere_is_nobodys(at: int, character: str) -> None:
    sid = SIDS.issue()
    at %= len(sid)
    changed = sid[:at] + character + sid[at + 1 :]
    assert SIDS.giver(changed) == ("Abc_-9" if changed == sid else None)


@given(st.text())
def test_what_no_gateway_made_is_nobodys(sid: str) -> None:
    assert SIDS.giver(sid) is None


def test_what_is_proven_as_a_pid_is_no_session_id() -> None:
    text = "gateway-1.Abc_-9.secret"
    proof = PIDS.issue("x").partition(".")[2]
    assert SIDS.giver(f"{text}.{proof}") is None
    assert Proofs("one").make(b"this", text) != Proofs("one").make(b"that", text)
