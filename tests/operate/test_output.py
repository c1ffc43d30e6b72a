"""What operators are shown of what anybody may have written."""

from io import StringIO

import pytest

from harmonic_operator import output

#: Names as identity providers may give them: the library's markup, and commands of terminals.
NAMES = ("[/]", "[red]ann", ":smile:", "ann\x1b]0;pwned\x07", "ann\x1b[2J", "ann\u202eben", "a\nb")
SHOWN = (
    *("[/]", "[red]ann", ":smile:", r"ann\x1b]0;pwned\x07", r"ann\x1b[2J", r"ann\u202eben"),
    r"a\nb",
)


@pytest.mark.parametrize(("name", "shown"), [*zip(NAMES, SHOWN, strict=True)])
def test_a_name_is_shown_as_it_is_and_does_nothing_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, name: str, shown: str
) -> None:
    written = StringIO()
    monkeypatch.setattr(output.console, "file", written)
    output.console.print(output.table("", ("Name",), [(name,)]))
    output.console.print(f"{name!s} is here".replace("\n", r"\n"))
    lines = written.getvalue().splitlines()
    assert [line.strip() for line in lines] == ["Name", shown, f"{shown} is here"]
