"""Tokens that clients bring again and again."""

from harmonic_gateway.identity.verification import EXPIRED, REVOKED
from harmonic_gateway.limits.dead_tokens import (
    ANSWERED_REFUSALS,
    FORGOTTEN_AFTER_S,
    MAX_TOKENS,
    DeadTokens,
)

DEAD = "eyJ.dead.token"


def refused(times: int, at_s: float = 0.0) -> DeadTokens:
    tokens = DeadTokens()
    for _ in range(times):
        tokens.note(DEAD, EXPIRED, at_s)
    return tokens


def test_the_first_refusals_are_answers_to_connect_and_then_it_is_refused_before() -> None:
    assert refused(ANSWERED_REFUSALS - 1).refusal(DEAD, 0) is None
    assert refused(ANSWERED_REFUSALS).refusal(DEAD, 0) == EXPIRED
    assert refused(ANSWERED_REFUSALS).refusal("eyJ.another.token", 0) is None


def test_a_client_without_a_token_is_not_remembered() -> None:
    tokens = DeadTokens()
    for nothing in (None, ""):
        for _ in range(ANSWERED_REFUSALS):
            tokens.note(nothing, EXPIRED, 0)
        assert tokens.refusal(nothing, 0) is None


def test_it_is_verified_anew_after_a_time_and_remembered_at_once_if_it_is_refused_again() -> None:
    tokens = refused(ANSWERED_REFUSALS)
    later = FORGOTTEN_AFTER_S + 1

    assert tokens.refusal(DEAD, FORGOTTEN_AFTER_S) == EXPIRED
    assert tokens.refusal(DEAD, later) is None
    tokens.note(DEAD, REVOKED, later)
    assert tokens.refusal(DEAD, later) == REVOKED


def test_one_that_was_refused_less_often_is_forgotten() -> None:
    tokens = refused(ANSWERED_REFUSALS - 1)
    later = FORGOTTEN_AFTER_S + 1

    for _ in range(ANSWERED_REFUSALS - 1):
        tokens.note(DEAD, REVOKED, later)
    assert tokens.refusal(DEAD, later) is None
    tokens.note(DEAD, REVOKED, later)
    assert tokens.refusal(DEAD, later) == REVOKED


def test_so_many_tokens_are_remembered_and_no_more() -> None:
    tokens = refused(ANSWERED_REFUSALS)
    for number in range(MAX_TOKENS):
        tokens.note(f"token-{number}", EXPIRED, 0)

    assert tokens.refusal(DEAD, 0) is None


def test_a_refusal_counts_as_long_as_it_is_remembered() -> None:
    tokens = refused(ANSWERED_REFUSALS - 1)
    tokens.note(DEAD, EXPIRED, FORGOTTEN_AFTER_S)
    assert tokens.refusal(DEAD, FORGOTTEN_AFTER_S) == EXPIRED
    assert tokens.refusal(None, FORGOTTEN_AFTER_S) is None


def test_the_latest_tokens_are_remembered_up_to_the_bound() -> None:
    tokens = refused(ANSWERED_REFUSALS)
    for number in range(MAX_TOKENS - 1):
        tokens.note(f"token-{number}", EXPIRED, 0)
    assert tokens.refusal(DEAD, 0) == EXPIRED


def test_a_token_that_is_no_unicode_is_one_as_well() -> None:
    tokens = DeadTokens()
    for _ in range(ANSWERED_REFUSALS):
        tokens.note("\ud800", EXPIRED, 0)
    assert tokens.refusal("\ud800", 0) == EXPIRED
