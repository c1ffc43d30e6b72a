"""Taking a session over, as a table: every order of what can happen, and what holds for all."""

from dataclasses import dataclass, replace

import pytest

from harmonic_gateway.peers.handover import (
    TABLE,
    Takeover,
    TakeoverDuty,
    TakeoverNews,
    TakeoverStep,
    proceed,
)

ENDS = {Takeover.MOVED, Takeover.FAILED}
#: What each state's wait can lead to, besides what may happen at any time.
AWAITED = {
    Takeover.OPEN: {
        *(TakeoverNews.PROBE, TakeoverNews.UPGRADE, TakeoverNews.OTHER, TakeoverNews.QUIET),
    },
    Takeover.ASKED: {TakeoverNews.ALLOWED, TakeoverNews.UNKNOWN, TakeoverNews.REFUSED},
    Takeover.WAITING: {TakeoverNews.PROBE, TakeoverNews.UPGRADE, TakeoverNews.OTHER},
    Takeover.PROBED: {
        *(TakeoverNews.PROBE, TakeoverNews.UPGRADE, TakeoverNews.OTHER, TakeoverNews.QUIET),
    },
    Takeover.ANNOUNCED: {TakeoverNews.PROBE, TakeoverNews.UPGRADE, TakeoverNews.OTHER},
    Takeover.REQUESTED: {TakeoverNews.HANDED, TakeoverNews.LAST_WORDS, TakeoverNews.UNKNOWN},
    Takeover.SEATING: {TakeoverNews.SEATED},
}
ANY_TIME = {TakeoverNews.LOST, TakeoverNews.LATE, TakeoverNews.GONE}

EXPECTED: dict[Takeover, dict[TakeoverNews | None, str]] = {
    Takeover.OPEN: {
        TakeoverNews.PROBE: "PROBED ANSWER_PROBE",
        TakeoverNews.QUIET: "ASKED",
        None: "FAILED CLOSE",
    },
    Takeover.ASKED: {
        TakeoverNews.ALLOWED: "WAITING",
        TakeoverNews.UNKNOWN: "FAILED CLOSE",
        TakeoverNews.REFUSED: "FAILED CLOSE",
        None: "FAILED TELL_TRY_FAILED CLOSE",
    },
    Takeover.WAITING: {
        TakeoverNews.PROBE: "PROBED ANSWER_PROBE",
        None: "FAILED TELL_TRY_FAILED CLOSE",
    },
    Takeover.PROBED: {
        TakeoverNews.UPGRADE: "REQUESTED TELL_PROBED",
        TakeoverNews.QUIET: "ANNOUNCED TELL_PROBED",
        None: "FAILED TELL_TRY_FAILED CLOSE",
    },
    Takeover.ANNOUNCED: {
        TakeoverNews.UPGRADE: "REQUESTED",
        None: "FAILED TELL_TRY_FAILED CLOSE",
    },
    Takeover.REQUESTED: {
        TakeoverNews.HANDED: "SEATING",
        TakeoverNews.LAST_WORDS: "FAILED SEND_LAST_WORDS CLOSE",
        TakeoverNews.UNKNOWN: "FAILED CLOSE",
        None: "FAILED TELL_NOT_TAKEN CLOSE",
    },
    Takeover.SEATING: {
        TakeoverNews.SEATED: "MOVED GO_ON TELL_TAKEN_OVER",
        None: "FAILED GIVE_SEATS_BACK TELL_NOT_TAKEN CLOSE",
    },
    Takeover.MOVED: {None: "MOVED"},
    Takeover.FAILED: {None: "FAILED"},
}


def expected(state: Takeover, news: TakeoverNews) -> TakeoverStep:
    row = EXPECTED[state]
    then, *duties = (row.get(news) or row[None]).split()
    return TakeoverStep(Takeover[then], tuple(TakeoverDuty[duty] for duty in duties))


@pytest.mark.parametrize("state", Takeover)
@pytest.mark.parametrize("news", TakeoverNews)
def test_every_piece_of_news_leads_where_it_should(state: Takeover, news: TakeoverNews) -> None:
    assert proceed(state, news) == expected(state, news)


@dataclass(frozen=True)
class Seen:
    """What the client, the session's own gateway and this one have seen of an attempt."""

    state: Takeover = Takeover.OPEN
    told: tuple[TakeoverDuty, ...] = ()
    handed: bool = False
    goes_on: bool = False
    closed: bool = False
    seats_back: bool = False

    def after(self, news: TakeoverNews) -> "Seen":
        step = proceed(self.state, news)
        told = tuple(duty for duty in step.duties if duty.name.startswith("TELL_"))
        return replace(
            self,
            state=step.then,
            told=self.told + told,
            handed=self.handed or news is TakeoverNews.HANDED,
            goes_on=self.goes_on or TakeoverDuty.GO_ON in step.duties,
            closed=self.closed or TakeoverDuty.CLOSE in step.duties,
            seats_back=self.seats_back or TakeoverDuty.GIVE_SEATS_BACK in step.duties,
        )


def every_attempt() -> list[Seen]:
    """All attempts to their ends."""
    ended: list[Seen] = []
    waiting = [Seen()]
    while waiting:
        seen = waiting.pop()
        if seen.state in ENDS:
            ended.append(seen)
            continue
        waiting += [seen.after(news) for news in AWAITED[seen.state] | ANY_TIME]
    return ended


def test_exactly_one_gateway_has_the_session_in_the_end() -> None:
    for seen in every_attempt():
        assert seen.goes_on == (seen.state is Takeover.MOVED)
        assert seen.goes_on == (TakeoverDuty.TELL_TAKEN_OVER in seen.told)
        # A session that was frozen hears either that it was taken or that it was not.
        if seen.handed:
            said = {TakeoverDuty.TELL_TAKEN_OVER, TakeoverDuty.TELL_NOT_TAKEN} & set(seen.told)
            assert len(said) == 1
        assert seen.seats_back == (seen.handed and not seen.goes_on)


def test_a_client_is_carried_on_or_closed() -> None:
    for seen in every_attempt():
        assert seen.goes_on != seen.closed


def test_whoever_was_let_try_hears_what_came_of_it() -> None:
    tried = {Takeover.WAITING, Takeover.PROBED, Takeover.ANNOUNCED}
    for state in tried:
        for news in TakeoverNews:
            then, duties = proceed(state, news)
            assert then in {*tried, Takeover.REQUESTED} or TakeoverDuty.TELL_TRY_FAILED in duties


def test_a_session_is_requested_only_after_its_gateway_was_told_of_the_probe() -> None:
    for seen in every_attempt():
        if seen.handed:
            assert seen.told.count(TakeoverDuty.TELL_PROBED) == 1


def test_nothing_follows_an_end() -> None:
    for state in ENDS:
        for news in TakeoverNews:
            assert proceed(state, news) == TakeoverStep(state)


def test_all_that_can_be_done_is_done_somewhere() -> None:
    done = {duty for row in TABLE.values() for step in row.values() for duty in step.duties}
    assert done == set(TakeoverDuty)
