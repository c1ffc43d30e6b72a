"""Ids on the command line, which may begin with a hyphen, as those of universes and users do."""

from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any

from typer.core import TyperCommand


def arranged(words: Sequence[str], flags: Collection[str], valued: Collection[str]) -> list[str]:
    """The words of a command line, reordered: options first, then the arguments behind ``--``.

    A word that is not exactly one of the command's own options, alone or before ``=``, is an
    argument, whatever it begins with. Each of ``flags`` stands alone; each of ``valued`` takes the
    next word. Words behind a ``--`` are arguments anyway.
    """
    options: list[str] = []
    arguments: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--":
            arguments += left
        elif word in valued:
            options += [word, *islice(left, 1)]
        elif word in flags or word.partition("=")[0] in valued:
            options.append(word)
        else:
            arguments.append(word)
    return [*options, "--", *arguments]


class TakesIds(TyperCommand):
    """A command with an id among its arguments."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line; an id needs no ``--`` before it."""
        flags: set[str] = set()
        valued: set[str] = set()
        for each in self.get_params(ctx):
            if each.param_type_name == "option":
                (flags if getattr(each, "is_flag", False) else valued).update(each.opts)
        return super().parse_args(ctx, arranged(args, flags, valued))
