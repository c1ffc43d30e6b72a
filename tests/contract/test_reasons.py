"""Every reason of a refusal is declared once, and stands with its sentence in every document."""

import re
from pathlib import Path

import pytest

from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused

DOCUMENTS = (
    "asyncapi.yaml",
    "errors.md",
    "openapi.json",
    "protocol.md",
    "protocol.ts",
    "schemas.json",
)


def words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_tells_each_reason_and_what_it_means(contract: Path, name: str) -> None:
    told = words((contract / name).read_text())

    assert [reason.name for reason in Reason if words(reason.meaning) not in told] == []
    assert [reason.name for reason in Reason if not re.search(rf"\b{reason.value}\b", told)] == []


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_named_as_on_the_wire_and_means_a_sentence(reason: Reason) -> None:
    assert reason.name == reason.value
    assert re.fullmatch(r"[A-Z`].+\.", reason.meaning)


def test_a_refusal_carries_its_reason_as_a_plain_text() -> None:
    told = refused(Code.AUTH_ERROR, "The token has expired", reason=Reason.EXPIRED)

    assert told.to_json() == (
        b'{"code":"AUTH_ERROR","message":"The token has expired","details":{"reason":"EXPIRED"}}'
    )
    assert Refused.model_validate_json(told.to_json()).reason is Reason.EXPIRED


@pytest.mark.parametrize("details", [{}, {"reason": "ONLY_A_NEWER_VERSION_KNOWS_IT"}])
def test_a_refusal_without_a_known_reason_has_none(details: dict[str, object]) -> None:
    told = Refused(code=Code.NOT_FOUND, message="Gone", details=details)

    assert told.reason is None
    assert told.to_wire()["details"] == details
