"""A rung says what it lacks; the brokers' chart is looked for where Helm's user said that it is."""

from pathlib import Path

import pytest

from ladder import repositories
from ladder.programs import Program
from ladder.rungs import Findings, Rung

ABSENT = Program("a-program-that-nobody-has", "a-package-that-nobody-has")
PRESENT = Program("sh", "dash")
ADDED = "repositories:\n- {name: other, url: 'mine:1'}\n- {name: nats, url: 'mine:2'}\n"


def found_well() -> Findings:
    return Findings({"things": 1})


def test_a_rung_is_skipped_with_the_reason_where_a_program_is_absent() -> None:
    verdict = Rung(9, "sky", found_well, (PRESENT, ABSENT)).climb().verdict

    assert verdict.startswith("skipped: a-program-that-nobody-has is not installed: ")
    assert "sh is" not in verdict


def test_a_rung_is_asked_where_all_its_programs_are_there() -> None:
    assert Rung(9, "sky", found_well, (PRESENT,)).climb().verdict == "held"


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("HELM_REPOSITORY_CONFIG", "added.yaml"),
        ("HELM_CONFIG_HOME", "repositories.yaml"),
        ("XDG_CONFIG_HOME", "helm/repositories.yaml"),
    ],
)
def test_a_repository_is_found_by_the_name_it_was_added_by(
    tmp_path: Path, variable: str, place: str
) -> None:
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(ADDED)
    named = path if variable == "HELM_REPOSITORY_CONFIG" else tmp_path

    assert repositories.address("@nats", {variable: str(named)}) == "mine:2"
    assert repositories.address("@strange", {variable: str(named)}) is None


def test_no_repository_is_found_where_none_was_added(tmp_path: Path) -> None:
    assert repositories.address("@nats", {"HELM_CONFIG_HOME": str(tmp_path)}) is None
