"""A client whose earlier connection may be half open: every order of what may happen."""

from itertools import product

from harmonic_gateway.recovery.half_open import PendingReturn, ReturnStage

EVENTS = (
    *(("alive", name) for name in "ab"),
    *(("broken", name) for name in "ab"),
    *((word, "") for word in ("not taken", "complete", "cancel")),
)
DEPTH = 6


class Observed:
    """A pending return, and what the rule says of what happened so far."""

    def __init__(self) -> None:
        self.pending = PendingReturn("ab")
        self.answered: set[str] = set()
        self.broken: list[str] = []
        self.taking: str | None = None
        self.taken: list[str] = []
        self.is_over = False

    def happens(self, word: str, name: str) -> None:
        match word:
            case "alive":
                if name not in self.broken:
                    self.answered.add(name)
                self.pending.alive(name)
            case "broken":
                if name not in self.answered and name not in self.broken:
                    self.broken.append(name)
                self.takes(self.pending.broken(name))
            case "not taken":
                if self.taking is not None:
                    self.taking = None
                    self.takes(self.pending.not_taken())
                else:
                    assert self.pending.not_taken() is None
            case "complete":
                completes = self.pending.completes()
                assert completes == (self.taking is not None and not self.is_over)
                if completes and self.taking is not None:
                    self.taken.append(self.taking)
                self.taking, self.is_over = None, True
            case "cancel":
                self.pending.cancel()
                self.is_over = True
            case _:
                raise AssertionError(f"nothing is meant by {word}")

    def takes(self, name: str | None) -> None:
        if name is None:
            return
        assert not self.is_over
        assert self.taking is None
        assert name in self.broken
        assert name not in self.answered
        assert name not in self.taken
        self.taking = name


def test_in_every_order_one_broken_session_at_most_is_taken_and_none_after_a_cancellation() -> None:
    seen: set[tuple[ReturnStage, str]] = set()
    orders = 0
    for order in product(EVENTS, repeat=DEPTH):
        orders += 1
        observed = Observed()
        for word, name in order:
            seen.add((observed.pending.stage, word))
            observed.happens(word, name)
        assert len(observed.taken) <= 1
    assert orders == len(EVENTS) ** DEPTH
    words = {word for word, _ in EVENTS}
    assert seen == set(product(ReturnStage, words))


def test_a_broken_connection_is_taken_at_once_and_the_next_only_if_that_fails() -> None:
    pending = PendingReturn("ab")
    assert pending.broken("a") == "a"
    assert pending.broken("b") is None
    assert pending.not_taken() == "b"
    assert pending.completes()
    assert not pending.completes()


def test_it_is_over_when_all_have_answered() -> None:
    pending = PendingReturn("ab")
    stages = []
    for name in "ab":
        pending.alive(name)
        stages.append(pending.stage)
    assert stages == [ReturnStage.ASKING, ReturnStage.OVER]


def test_it_is_over_when_the_only_broken_one_was_taken_by_another_client() -> None:
    pending = PendingReturn("a")
    assert pending.broken("a") == "a"
    assert pending.not_taken() is None
    assert pending.stage is ReturnStage.OVER


def test_whom_nobody_asked_for_is_not_taken() -> None:
    pending = PendingReturn("a")
    assert pending.broken("x") is None
    assert pending.broken("a") == "a"
