"""What became of the mutants, and the page on which those that survive are justified."""

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mutmut.configuration import reset_config
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

SURVIVORS = Path(__file__).with_name("survivors.md")
#: A mutant is noticed if a test fails, or does not come to its end.
NOTICED = ("killed", "timeout")


@dataclass(frozen=True)
class Mutant:
    """One change of one function, and whether the tests noticed."""

    module: str
    function: str
    change: str
    status: str

    @property
    def noticed(self) -> bool:
        """Whether a test failed, or did not end."""
        return self.status in NOTICED


def mutants(folder: Path) -> list[Mutant]:
    """All mutants of the run in ``folder``."""
    with contextlib.chdir(folder):
        reset_config()
        return [
            _mutant(str(path.relative_to("mutants"))[: -len(".meta")], name, status)
            for path in sorted(Path("mutants").rglob("*.meta"))
            for name, code in json.loads(path.read_text())["exit_code_by_key"].items()
            for status in [status_by_exit_code[code]]
        ]


def _mutant(path: str, name: str, status: str) -> Mutant:
    function, owner = orig_function_and_class_names_from_key(name)
    change = "" if status in NOTICED else _change(get_diff_for_mutant(name, path=path))
    return Mutant(path, f"{owner}.{function}" if owner else function, change, status)


def _change(diff: str) -> str:
    """The lines that differ, on one line."""
    lines = [line for line in diff.splitlines()[2:] if line[:1] in {"-", "+"}]
    before = " ".join(line[1:].strip() for line in lines if line[0] == "-")
    after = " ".join(line[1:].strip() for line in lines if line[0] == "+")
    return f"{before} → {after}".replace("|", "\\|").replace("`", "'")


def unjustified(found: list[Mutant]) -> list[Mutant]:
    """The survivors that the page does not list.

    There, ``*`` stands for any module or function, and ``…`` for anything within a change.
    """
    rows = list(_rows(SURVIVORS.read_text()))
    return [
        mutant
        for mutant in found
        if not mutant.noticed
        and not any(
            module in {mutant.module, "*"}
            and function in {mutant.function, "*"}
            and re.fullmatch(re.escape(change).replace("…", ".*"), mutant.change)
            for module, function, change in rows
        )
    ]


def _rows(page: str) -> Iterator[tuple[str, str, str]]:
    module = ""
    for line in page.splitlines():
        if line.startswith("## "):
            module = line.removeprefix("## ").strip("` ")
        row = re.fullmatch(r"\| `(.+?)` \| `(.+?)` \| (.+) \|", line)
        if row is not None and row[3].strip():
            yield module, row[1], row[2]


def table(found: list[Mutant]) -> str:
    """The score of each module, and of all."""
    by_module: dict[str, list[Mutant]] = {}
    for mutant in found:
        by_module.setdefault(mutant.module, []).append(mutant)
    rows = [*sorted(by_module.items()), ("all", found)]
    width = max(len(name) for name, _ in rows)
    return "\n".join(
        f"{name:{width}}  {sum(one.noticed for one in some):5} of {len(some):5}  {score(some):6.1%}"
        for name, some in rows
        if some
    )


def score(found: list[Mutant]) -> float:
    """The share of mutants that were noticed."""
    return sum(mutant.noticed for mutant in found) / len(found)
