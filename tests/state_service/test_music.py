"""Asking for music, as the domain decides it."""

from harmonic_protocol.internal import CompleteMusic, ExpireMusic
from harmonic_protocol.log import MusicFailed, MusicRequested, MusicStored
from state_service.builders import History, caller, command, open_universe

ANN = caller("ann")


def requested() -> tuple[History, MusicRequested]:
    history = open_universe()
    history.does(command("join_room", mode="view"), ANN)
    (event,) = history.does(command("generate_music", duration=8, seed=7), ANN)
    assert isinstance(event, MusicRequested)
    return history, event


def completed(request_id: str) -> CompleteMusic:
    return CompleteMusic(universe_id="u", request_id=request_id, tempo=120, key="C", scale="major")


def test_a_viewer_may_ask_and_the_job_holds_the_parameters_as_of_now() -> None:
    history, event = requested()
    assert event.job.seed == 7
    assert event.job.duration == 8
    assert event.job.music == history.now.parameters.music
    assert event.job.physics == history.now.parameters.physics


def test_a_job_says_the_style_and_the_piece_to_answer() -> None:
    history = open_universe()
    history.does(command("join_room", mode="view"), ANN)
    (event,) = history.does(
        command("generate_music", duration=8, style="waltz", after="earlier"), ANN
    )
    assert isinstance(event, MusicRequested)
    assert (event.job.style, event.job.after) == ("waltz", "earlier")


def test_a_seed_is_made_up_where_none_is_given() -> None:
    history = open_universe()
    history.does(command("join_room", mode="view"), ANN)
    (event,) = history.does(command("generate_music", duration=1), ANN)
    assert isinstance(event, MusicRequested)
    assert event.job.seed == history.milliseconds


def test_a_second_request_of_the_same_user_waits_for_the_first() -> None:
    history, event = requested()
    refusal = history.is_refused(command("generate_music", duration=1), ANN)
    assert (refusal.code, refusal.details["reason"]) == ("RATE_LIMITED", "BUSY")
    assert 0 < refusal.details["retryAfterMs"] <= 5000
    history.does(completed(event.job.request_id), caller("music"))
    history.does(command("generate_music", duration=1), ANN)


def test_a_piece_is_announced_once_and_not_after_its_time() -> None:
    history, event = requested()
    done = completed(event.job.request_id)
    (stored,) = history.does(done, caller("music"))
    assert isinstance(stored, MusicStored)
    assert (stored.seed, stored.user_id, stored.seq) == (7, "ann", history.now.seq)
    assert history.does(done, caller("music")) == []


def test_a_piece_says_which_composer_made_it_if_the_one_that_made_it_says_so() -> None:
    history, event = requested()
    done = completed(event.job.request_id)
    (stored,) = history.does(done.model_copy(update={"composer_version": 9}), caller("music"))
    assert isinstance(stored, MusicStored)
    assert stored.composer_version == 9
    assert b'"composerVersion":9' in stored.to_json()


def test_a_piece_of_a_replica_of_the_version_before_is_announced_without_its_composer() -> None:
    history, event = requested()
    said = (
        f'{{"universeId":"u","requestId":"{event.job.request_id}",'
        '"tempo":120,"key":"C","scale":"major"}'
    )
    (stored,) = history.does(CompleteMusic.model_validate_json(said), caller("music"))
    assert isinstance(stored, MusicStored)
    assert b"composerVersion" not in stored.to_json()
    kept = MusicStored.model_validate_json(stored.to_json())
    assert kept == stored


def test_an_overdue_piece_is_reported_to_its_requester_and_comes_no_more() -> None:
    history, event = requested()
    expire = ExpireMusic(universe_id="u", request_id=event.job.request_id)
    (failed,) = history.does(expire, caller("owner"))
    assert isinstance(failed, MusicFailed)
    assert failed.connection_id == ANN.connection_id
    assert failed.refusal.code == "INTERNAL_ERROR"
    assert history.does(completed(event.job.request_id), caller("music")) == []
    assert history.does(expire, caller("owner")) == []
