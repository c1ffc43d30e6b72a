"""Text that people see of one another."""

import pytest
from pydantic import TypeAdapter, ValidationError

from harmonic_protocol.values import UniverseName, printable

NAME: TypeAdapter[str] = TypeAdapter(UniverseName)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ann", "Ann"),
        ("  Ann Bee  ", "Ann Bee"),
        ("e\u0301", "\u00e9"),
        ("a\u0000b\u001bc", "abc"),
        ("a\u202eb\u2066c\u200b", "abc"),
        ("a\u2028b\u2029c", "abc"),
        ("a\ue000b\ud800c", "abc"),
        ("a\u3164b\u2800c", "abc"),
        ("\u3164", ""),
        ("\u0301", ""),
        ("\u0301\u0302", ""),
        ("a\u0323", "\u1ea1"),
        ("b\u0323\u0302", "\u1e05\u0302"),
        ("\t\n", ""),
        ("", ""),
        ("\u4f60\u597d", "\u4f60\u597d"),
        ("\U0001f44b", "\U0001f44b"),
    ],
)
def test_text_is_shown_without_what_cannot_be_seen(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("name", ["A universe", "e\u0301", "\u4f60", "  with space around  "])
def test_a_universe_has_a_name_that_can_be_seen(name: str) -> None:
    assert NAME.validate_python(name) == printable(name)


@pytest.mark.parametrize("name", ["\u3164", "a\u202eb", "a\u0000", " ", "\u0301", "a\u200bb"])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        NAME.validate_python(name)
    (problem,) = caught.value.errors()
    assert problem["msg"] == (
        "Value error, must hold visible text without control or direction characters"
    )
