"""Questions about a connection: which answer to a ping counts, and who is told what."""

from itertools import product

from harmonic_gateway.recovery.questions import MAX_QUESTIONS_PER_CONNECTION, Questions
from harmonic_protocol.internal import ConnectionChecked, Liveness

BROKEN = ConnectionChecked(liveness=Liveness.BROKEN, acknowledged={"u": 3})


class Asked:
    """Questions, and what came of each."""

    def __init__(self) -> None:
        self.questions = Questions()
        self.told: list[list[ConnectionChecked]] = []

    def ask(self, *, in_doubt: bool, connection_id: str = "c") -> bool:
        answers: list[ConnectionChecked] = []
        self.told.append(answers)
        return self.questions.ask(connection_id, answers.append, in_doubt=in_doubt)

    def liveness(self, number: int) -> list[Liveness]:
        return [checked.liveness for checked in self.told[number]]


def test_the_answer_to_a_ping_that_is_sent_after_the_question_shows_that_a_client_is_alive() -> (
    None
):
    asked = Asked()
    assert asked.ask(in_doubt=False)
    assert not asked.questions.ponged("c")
    assert asked.liveness(0) == [Liveness.ALIVE]


def test_the_answer_to_a_ping_from_before_the_question_shows_nothing() -> None:
    asked = Asked()
    asked.ask(in_doubt=True)
    assert asked.questions.ponged("c")
    assert asked.liveness(0) == []
    assert not asked.questions.ponged("c")
    assert asked.liveness(0) == [Liveness.ALIVE]


def test_a_connection_that_ends_is_told_of_with_all_that_is_known() -> None:
    asked = Asked()
    asked.ask(in_doubt=False)
    asked.ask(in_doubt=False, connection_id="other")
    asked.questions.ended("c", BROKEN)
    asked.questions.ended("c", BROKEN)
    assert asked.told == [[BROKEN], []]


def test_only_so_many_may_ask_for_one_connection_at_a_time() -> None:
    asked = Asked()
    for _ in range(MAX_QUESTIONS_PER_CONNECTION):
        assert asked.ask(in_doubt=False)
    assert not asked.ask(in_doubt=False)
    assert asked.ask(in_doubt=False, connection_id="other")
    asked.questions.ponged("c")
    assert asked.ask(in_doubt=False)


def test_in_every_order_each_question_is_answered_once_and_alive_only_by_a_later_ping() -> None:
    for order in product(("ask", "pong", "end"), repeat=7):
        asked = Asked()
        pinged_at: int | None = None
        asked_at: list[int] = []
        for now, event in enumerate(order):
            match event:
                case "ask":
                    asked.ask(in_doubt=pinged_at is not None)
                    asked_at.append(now)
                    pinged_at = now if pinged_at is None else pinged_at
                case "pong" if pinged_at is not None:
                    before = [len(answers) for answers in asked.told]
                    again = asked.questions.ponged("c")
                    for number, answers in enumerate(asked.told):
                        if len(answers) > before[number]:
                            assert asked_at[number] <= pinged_at
                    pinged_at = now if again else None
                case "end":
                    asked.questions.ended("c", BROKEN)
                    pinged_at = None
                    assert all(asked.told)
                case _:
                    pass
        assert all(len(answers) <= 1 for answers in asked.told)


def test_a_connection_that_nobody_asked_for_may_answer_its_pings() -> None:
    assert not Questions().ponged("nobody")
