"""Ids that begin with a hyphen, on the operator's command line."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from harmonic_operator.cli import app
from harmonic_operator.identifiers import arranged
from harness.operator import harmonic
from harness.world import World

FLAGS, VALUED = {"--json", "--help"}, {"--events", "-n"}
#: What begins like options that commands have, and like none.
IDS = ("-h3", "-n5x", "--json5", "-")
#: Arguments that are no ids: this program's own words, and folders.
OWN = {("switch", "which"), ("switch", "to"), ("backup", "folder"), ("restore", "folder")}
#: A gateway's name begins with a letter or a digit.
OWN |= {("drain", "gateway")}


@pytest.mark.parametrize(
    ("words", "options", "arguments"),
    [
        (["-h3"], [], ["-h3"]),
        (["-n5x", "--json"], ["--json"], ["-n5x"]),
        (["--json", "-h3", "-ann"], ["--json"], ["-h3", "-ann"]),
        (["-n", "5", "-h3"], ["-n", "5"], ["-h3"]),
        (["--events=5", "-h3"], ["--events=5"], ["-h3"]),
        (["--", "--json"], [], ["--json"]),
        (["--json", "--", "-h3"], ["--json"], ["-h3"]),
        (["-h3", "--events"], ["--events"], ["-h3"]),
        ([], [], []),
    ],
)
def test_a_word_that_is_no_option_of_the_command_is_an_argument(
    words: list[str], options: list[str], arguments: list[str]
) -> None:
    assert arranged(words, FLAGS, VALUED) == [*options, "--", *arguments]


def commands() -> dict[str, Any]:
    found: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    return found


def arguments() -> Iterator[tuple[str, str]]:
    """The commands' arguments that are ids from outside."""
    for name, command in commands().items():
        for each in command.params:
            if each.param_type_name == "argument" and (name, each.name) not in OWN:
                yield name, each.name


def parsed(name: str, words: list[str]) -> dict[str, Any]:
    return dict(commands()[name].make_context(name, words).params)


@pytest.mark.parametrize(("name", "argument"), [*arguments()])
@pytest.mark.parametrize("given", IDS)
def test_each_command_takes_such_an_id_for_an_argument(
    name: str, argument: str, given: str
) -> None:
    names = [each.name for each in commands()[name].params if each.param_type_name == "argument"]
    words = [given if each == argument else "plain" for each in names]
    assert parsed(name, words)[argument] == given


@pytest.mark.parametrize("given", IDS)
def test_an_option_takes_such_an_id_for_its_value(given: str) -> None:
    assert parsed("revoke", ["--jti", given])["jti"] == given
    assert parsed("revoke", ["--user", given])["user"] == given


async def test_a_universe_and_a_user_with_such_ids_are_shown_and_kicked(world: World) -> None:
    universe = await world.universe(id="-" + world.name("universe"))
    user = "--" + world.name("bob")
    bob = await world.client(user)
    await bob.joins(universe)

    ran = await harmonic(world.stack, "who", universe, "--json")
    assert [each["userId"] for each in ran.json["seats"]] == [user]
    ran = await harmonic(world.stack, "kick", universe, user, "--json")

    assert (ran.status, ran.json["connections"]) == (0, 1)
    await bob.hears("room_error", universeId=universe)


async def test_a_wrong_option_is_still_refused() -> None:
    ran = await harmonic(None, "who", "sandbox", "--jsno")
    assert ran.status == 2
    assert "--jsno" in ran.errors
