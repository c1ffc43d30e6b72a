"""A rung says what it lacks; the brokers' chart is looked for where Helm's user said that it is."""

import subprocess
import sys
from pathlib import Path

import pytest

from ladder import repositories, tools
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


def test_a_rung_that_breaks_off_has_failed_and_says_where() -> None:
    def breaks_off() -> Findings:
        raise ZeroDivisionError("nothing to divide by")

    found = Rung(9, "sky", breaks_off).climb()

    assert found.verdict == "failed"
    assert found.faults[-1] == "ZeroDivisionError: nothing to divide by"
    assert any("in breaks_off" in line for line in found.faults)


def test_two_of_one_checkout_do_not_install_at_once(tmp_path: Path) -> None:
    """The other one says that it waits, and begins once the first has ended."""
    code = (
        "import sys; from pathlib import Path; from ladder import tools\n"
        "with tools.alone('install', Path(sys.argv[1])): print('began', flush=True)"
    )
    with tools.alone("install", tmp_path):
        other = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(tools.ROOT / "tests")},
        )
        assert other.stderr is not None
        assert other.stderr.readline() == "waiting for another install of this checkout\n"
        assert other.poll() is None
    said, _ = other.communicate()
    assert (other.returncode, said) == (0, "began\n")


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
