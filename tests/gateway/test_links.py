"""Links to pieces: for whom, to what and until when they are good."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonic_gateway.identity.links import (
    LINK_S,
    MAX_LINK_CHARACTERS,
    PieceLinks,
    StreamLinks,
)
from harmonic_gateway.identity.proofs import Proofs
from harmonic_gateway.identity.verification import Identity
from harmonic_protocol.refusals import Refused
from harmonic_runtime.process.clock import SystemClock


class StoppedClock(SystemClock):
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = datetime(2024, 3, 21, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


def links(clock: StoppedClock, secret: str = "the gateways' secret") -> PieceLinks:
    return PieceLinks(Proofs(secret), clock)


@given(st.text(min_size=1, max_size=255))
def test_a_link_is_its_users_at_any_gateway(user: str) -> None:
    clock = StoppedClock()
    made = links(clock)
    link = made.make("u", "r", user, made.expire_at())
    known = links(clock).identify("u", "r", link)
    assert isinstance(known, Identity)
    assert (known.user_id, known.expires_at_s) == (user, made.expire_at())
    # A revocation of all that the user had counts for links that were made before.
    assert known.issued_at_s == clock.at.timestamp()


def test_a_link_works_for_its_time() -> None:
    clock = StoppedClock()
    made = links(clock)
    link = made.make("u", "r", "ann", made.expire_at())
    clock.at += timedelta(seconds=LINK_S - 1)
    assert isinstance(made.identify("u", "r", link), Identity)
    clock.at += timedelta(seconds=1)
    expired = made.identify("u", "r", link)
    assert isinstance(expired, Refused)
    assert expired.details["reason"] == "EXPIRED"


@pytest.mark.parametrize(("universe", "request_id"), [("v", "r"), ("u", "s"), ("ur", "")])
def test_a_link_to_one_piece_is_none_to_another(universe: str, request_id: str) -> None:
    made = links(StoppedClock())
    link = made.make("u", "r", "ann", made.expire_at())
    assert isinstance(made.identify(universe, request_id, link), Refused)


def test_no_other_secret_makes_links() -> None:
    clock = StoppedClock()
    other = links(clock, "another secret")
    link = other.make("u", "r", "ann", other.expire_at())
    assert isinstance(links(clock).identify("u", "r", link), Refused)


@given(st.integers(min_value=0), st.characters())
def test_a_link_that_was_changed_anywhere_is_nobodys(at: int, character: str) -> None:
    made = links(StoppedClock())
    link = made.make("u", "r", "ann", made.expire_at())
    at %= len(link)
    changed = link[:at] + character + link[at + 1 :]
    known = made.identify("u", "r", changed)
    assert isinstance(known, Identity) == (changed == link)


@given(st.text() | st.from_regex(r"[0-9]{1,20}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True))
def test_what_no_gateway_made_is_no_link(text: str) -> None:
    refusal = links(StoppedClock()).identify("u", "r", text)
    assert isinstance(refusal, Refused)
    assert (refusal.code, refusal.details["reason"]) == ("AUTH_ERROR", "INVALID")


def test_the_longest_user_id_fits_into_a_link_and_nothing_longer_is_read() -> None:
    made = links(StoppedClock())
    link = made.make("u" * 64, "r" * 64, "\N{MUSICAL SYMBOL G CLEF}" * 255, made.expire_at())
    assert isinstance(made.identify("u" * 64, "r" * 64, link), Identity)
    assert isinstance(made.identify("u", "r", "1." + "A" * MAX_LINK_CHARACTERS), Refused)


ANN = Identity("ann", "Ann", 1_800_000_000, 1_700_000_000.5, "a token's own id")


def stream_links(clock: StoppedClock, secret: str = "the gateways' secret") -> StreamLinks:
    return StreamLinks(Proofs(secret), clock)


@given(st.text(min_size=1, max_size=255), st.none() | st.text(min_size=1), st.floats(0, 1e9))
def test_whoever_follows_a_link_to_a_stream_is_as_good_as_the_token_that_asked_for_it(
    user: str, jti: str | None, issued_at_s: float
) -> None:
    identity = Identity(user, user, 1_800_000_000, issued_at_s, jti)
    clock = StoppedClock()
    link, _ = stream_links(clock).make("u", identity)
    assert stream_links(clock).identify("u", link) == identity


def test_a_link_to_a_stream_begins_some_for_its_time() -> None:
    clock = StoppedClock()
    made = stream_links(clock)
    link, until_s = made.make("u", ANN)
    assert until_s == clock.at.timestamp() + LINK_S
    clock.at += timedelta(seconds=LINK_S - 1)
    assert made.identify("u", link) == ANN
    clock.at += timedelta(seconds=1)
    expired = made.identify("u", link)
    assert isinstance(expired, Refused)
    assert expired.details["reason"] == "EXPIRED"


def test_a_link_to_a_stream_is_none_to_another_nor_to_a_piece_nor_of_another_secret() -> None:
    clock = StoppedClock()
    link, _ = stream_links(clock).make("u", ANN)
    piece = links(clock).make("u", "r", "ann", links(clock).expire_at())
    for found in (
        stream_links(clock).identify("v", link),
        stream_links(clock).identify("u", piece),
        stream_links(clock, "another secret").identify("u", link),
        links(clock).identify("u", "r", link),
    ):
        assert isinstance(found, Refused)
        assert (found.code, found.details["reason"]) == ("AUTH_ERROR", "INVALID")


@given(st.integers(min_value=0), st.characters())
def test_a_link_to_a_stream_that_was_changed_anywhere_is_nobodys(at: int, character: str) -> None:
    made = stream_links(StoppedClock())
    link, _ = made.make("u", ANN)
    at %= len(link)
    changed = link[:at] + character + link[at + 1 :]
    assert isinstance(made.identify("u", changed), Identity) == (changed == link)


@given(st.text())
def test_what_no_gateway_made_begins_no_stream(text: str) -> None:
    assert isinstance(stream_links(StoppedClock()).identify("u", text), Refused)
