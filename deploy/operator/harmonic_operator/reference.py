"""The reference page of the commands, from their declarations."""

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from harmonic_operator.cli import EPILOG, app


def describe_commands() -> str:
    """A chapter for each command: its purpose, its arguments, and an example."""
    commands: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    return "\n".join([f"{EPILOG}\n", *map(_chapter, commands.values())])


def _chapter(command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = " ".join(
        ["harmonic", command.name, *(each.name.upper() for each in arguments), "[OPTIONS]"]
    )
    rows = [*map(_argument, arguments), *map(_option, options)]
    table = ["| Argument | Default | What it is |", "|---|---|---|", *rows]
    text = "\n\n".join(" ".join(part.split()) for part in command.help.split("\n\n"))
    return f"## {command.name}\n\n`{usage}`\n\n{text}\n\n" + "\n".join(
        [*table, "", *_examples(command.epilog), ""]
    )


def _argument(argument: Any) -> str:
    return f"| `{argument.name.upper()}` | | {argument.help or ''} |"


def _option(option: Any) -> str:
    names = ", ".join(f"`{each}`" for each in option.opts)
    shown = option.default is not None and not isinstance(option.default, bool)
    is_plain = shown and isinstance(option.default, int | float | str)
    return f"| {names} | {option.default if is_plain else ''} | {option.help} |"


def _examples(epilog: str) -> Iterator[str]:
    """The examples, one per line."""
    yield "```"
    yield from epilog.partition(": ")[2].split("; ")
    yield "```"
