"""A client's way in as a table: every pair of a progress and news, and what holds for all."""

import pytest

from harmonic_gateway.admission.progress import TABLE, Duty, News, Progress, proceed

#: Those whose clients are not admitted.
ENDS = {Progress.REFUSED, Progress.TURNED_AWAY, Progress.ABANDONED}
_GIVES_BACK = "COUNTED UNCOUNT, RECOVERED GIVE_BACK, LATER GIVE_BACK, FAILED GIVE_BACK"

#: What news lead to, a line a progress: the progress after them where it is another, and the
#: duties in their order. What is not listed changes nothing and is no duty.
EXPECTED = {
    Progress.VERIFYING: """
        GOOD COUNTING COUNT, BAD REFUSED, LATER TURNED_AWAY, FAILED ABANDONED, GONE ABANDONED
    """,
    Progress.COUNTING: """
        COUNTED RECOVERING RECOVER, BAD REFUSED, FAILED ABANDONED, TOKEN_ENDED REFUSED,
        GONE ABANDONED
    """,
    Progress.RECOVERING: """
        RECOVERED DECIDING ASK_AGAIN, LATER TURNED_AWAY UNCOUNT GIVE_BACK,
        FAILED ABANDONED UNCOUNT GIVE_BACK, TOKEN_ENDED REFUSED UNCOUNT, GONE ABANDONED UNCOUNT
    """,
    Progress.DECIDING: """
        GOOD ADMITTED, TOKEN_ENDED REFUSED UNCOUNT GIVE_BACK, GONE ABANDONED UNCOUNT GIVE_BACK
    """,
    Progress.ADMITTED: "CONNECTED PRESENT, GONE ABANDONED UNCOUNT GIVE_BACK",
    Progress.PRESENT: "",
    Progress.REFUSED: _GIVES_BACK,
    Progress.TURNED_AWAY: _GIVES_BACK,
    Progress.ABANDONED: _GIVES_BACK,
}


def expected(progress: Progress) -> dict[News, tuple[Progress, tuple[Duty, ...]]]:
    row: dict[News, tuple[Progress, tuple[Duty, ...]]] = dict.fromkeys(News, (progress, ()))
    for entry in filter(None, EXPECTED[progress].split(",")):
        name, *words = entry.split()
        to = next((Progress[word] for word in words if word in Progress.__members__), progress)
        duties = tuple(Duty[word] for word in words if word in Duty.__members__)
        row[News[name]] = (to, duties)
    return row


@pytest.mark.parametrize("progress", Progress)
@pytest.mark.parametrize("news", News)
def test_all_news_lead_from_everywhere_to_what_is_decided(progress: Progress, news: News) -> None:
    assert tuple(proceed(progress, news)) == expected(progress)[news]


@pytest.mark.parametrize("progress", Progress)
@pytest.mark.parametrize("news", News)
def test_no_news_lead_back_or_admit_past_the_last_question(progress: Progress, news: News) -> None:
    after, duties = proceed(progress, news)
    if after is Progress.ADMITTED and progress is not Progress.ADMITTED:
        assert (progress, news) == (Progress.DECIDING, News.GOOD)
    if progress in ENDS or progress is Progress.PRESENT:
        assert after is progress
    had_place = progress in {Progress.RECOVERING, Progress.DECIDING, Progress.ADMITTED}
    late = progress in ENDS and news is News.COUNTED
    assert (Duty.UNCOUNT in duties) == ((had_place and after in ENDS) or late)


def test_each_duty_is_that_of_some_news() -> None:
    duties = {duty for row in TABLE.values() for to in row.values() for duty in to.duties}
    assert duties == set(Duty)
