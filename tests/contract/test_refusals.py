"""What a client is told of fields that are wrong: each by name, with its reason and its range."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from harmonic_protocol.causes import Cause
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import (
    MAX_FIELD_NAME_CHARACTERS,
    MAX_NAMED_FIELDS,
    Code,
    Refused,
    invalid_fields,
    refused,
)


def even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


class Inner(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    depth: Annotated[float, Field(ge=1.5, le=9.25)] = 2.0


class Wide(BaseModel):
    """A field for each thing that may be wrong with one."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    between: Annotated[float, Field(ge=1, le=9)] = 1
    above: Annotated[float, Field(gt=0, lt=5)] = 1
    whole: Annotated[int, AfterValidator(even)] = 2
    word: Annotated[str, Field(min_length=2, max_length=4)] = "abc"
    shape: Annotated[str, Field(pattern="^a+$")] = "a"
    choice: Literal["x", "y"] = "x"
    several: Annotated[list[int], Field(max_length=2)] = []
    raw: Annotated[bytes, Field(max_length=2)] = b""
    both: Annotated[list[int], Field(max_length=2)] | Annotated[bytes, Field(max_length=2)] = b""
    plain: list[int] | bytes = b""
    mapping: dict[str, int] = {}
    inner: Inner = Inner()
    perhaps: Inner | None = None
    flag: bool = True
    needed: int
    renamed: Annotated[int, Field(alias="otherName", ge=3)] = 3


def told(**fields: object) -> list[dict[str, Any]]:
    """What is told of fields that are wrong, where nothing else is."""
    with pytest.raises(ValidationError) as caught:
        Wide.model_validate({"needed": 1, **fields})
    refusal = invalid_fields(caught.value, Wide)
    assert refusal.code is Code.INVALID_PARAMETERS
    assert list(refusal.details) == ["fields"]
    found: list[dict[str, Any]] = refusal.details["fields"]
    return found


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("between", 0, "must be at least 1"),
        ("between", 10, "must be at most 9"),
        ("between", float("nan"), "must be a finite number"),
        ("between", "1", "must be a number"),
    ],
)
def test_a_field_is_told_with_its_range(field: str, value: object, reason: str) -> None:
    assert told(**{field: value}) == [{"field": field, "reason": reason, "min": 1, "max": 9}]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("whole", 1.5, "must be a whole number"),
        ("whole", "1", "must be a whole number"),
        ("whole", 3, "must be even"),
        ("word", 7, "must be a string"),
        ("word", "a", "must have at least 2 characters"),
        ("word", "abcde", "must have at most 4 characters"),
        ("shape", "b", "must match ^a+$"),
        ("choice", "z", "must be one of 'x' or 'y'"),
        ("several", 1, "must be a list"),
        ("several", [1, 2, 3], "must have at most 2 entries"),
        ("raw", b"abc", "must have at most 2 bytes"),
        ("mapping", 1, "must be an object"),
        ("inner", 1, "must be an object"),
        ("flag", "yes", "is not valid"),
        ("strange", 1, "is not a known field"),
    ],
)
def test_a_field_is_told_with_its_reason(field: str, value: object, reason: str) -> None:
    assert told(**{field: value}) == [{"field": field, "reason": reason}]


def test_a_bound_that_is_not_allowed_itself_is_a_bound() -> None:
    assert told(above=0) == [{"field": "above", "reason": "must be above 0", "min": 0, "max": 5}]


def test_a_field_is_named_as_clients_name_it() -> None:
    assert told(otherName=1) == [{"field": "otherName", "reason": "must be at least 3", "min": 3}]


def test_a_field_within_a_field_is_named_by_its_path() -> None:
    assert told(inner={"depth": 1}) == [
        {"field": "inner.depth", "reason": "must be at least 1.5", "min": 1.5, "max": 9.25}
    ]
    assert told(inner={"depth": 10}) == [
        {"field": "inner.depth", "reason": "must be at most 9.25", "min": 1.5, "max": 9.25}
    ]
    assert told(inner={"strange": 1}) == [
        {"field": "inner.strange", "reason": "is not a known field"}
    ]
    assert told(perhaps={"depth": 1}) == [
        {"field": "perhaps.depth", "reason": "must be at least 1.5", "min": 1.5, "max": 9.25}
    ]
    assert told(several=["a"]) == [{"field": "several.0", "reason": "must be a whole number"}]


def test_a_missing_field_is_told() -> None:
    with pytest.raises(ValidationError) as caught:
        Wide.model_validate({})
    refusal = invalid_fields(caught.value, Wide)
    assert refusal.details["fields"] == [{"field": "needed", "reason": "is missing"}]
    assert refusal.message == "Invalid parameters: needed is missing"


def test_of_a_union_the_branch_is_told_that_was_meant() -> None:
    assert told(both=[1, 2, 3]) == [{"field": "both", "reason": "must have at most 2 entries"}]
    assert told(both=b"abc") == [{"field": "both", "reason": "must have at most 2 bytes"}]
    assert told(both=["a"]) == [{"field": "both.0", "reason": "must be a whole number"}]
    assert told(plain=["a"]) == [{"field": "plain.0", "reason": "must be a whole number"}]
    # None was meant: the first is told.
    (only,) = told(both="a")
    assert only["reason"] == "must be a list"


def test_what_is_no_object_is_told_of_the_payload() -> None:
    with pytest.raises(ValidationError) as caught:
        Wide.model_validate(1)
    refusal = invalid_fields(caught.value, Wide)
    assert refusal.message == "Invalid parameters: payload must be an object"
    assert refusal.details["fields"] == [{"field": "", "reason": "must be an object"}]


def test_the_text_names_the_first_three() -> None:
    with pytest.raises(ValidationError) as caught:
        Wide.model_validate({"between": 0, "word": 7, "choice": 1, "shape": 1})
    refusal = invalid_fields(caught.value, Wide)
    assert refusal.message == (
        "Invalid parameters: between must be at least 1; word must be a string;"
        " shape must be a string"
    )
    assert len(refusal.details["fields"]) == 5


def test_so_many_fields_are_named_and_each_once_and_short() -> None:
    strange: dict[str, object] = {f"strange{number:03}": 1 for number in range(60)}
    assert len(told(**strange)) == MAX_NAMED_FIELDS
    (field,) = told(**{"s" * 500: 1})
    assert field["field"] == "s" * MAX_FIELD_NAME_CHARACTERS
    twice = {"s" * 200 + "a": 1, "s" * 200 + "b": 1}
    assert len(told(**twice)) == 1


def test_what_is_nothing_is_left_out_of_a_refusal() -> None:
    refusal = refused(Code.NOT_FOUND, "gone", reason=Reason.TRIMMED, limit=3, opId=None)
    assert refusal == Refused(
        code=Code.NOT_FOUND, message="gone", details={"reason": "TRIMMED", "limit": 3}
    )
    assert refused(Code.NOT_FOUND, "gone").details == {}
    more = refusal.about(limit=4, field="x", other=None)
    assert more.details == {"reason": "TRIMMED", "limit": 4, "field": "x"}
    assert refusal.details["limit"] == 3


def test_a_reason_is_known_or_of_a_newer_version() -> None:
    assert refused(Code.NOT_FOUND, "gone", reason=Reason.TRIMMED).reason is Reason.TRIMMED
    assert refused(Code.NOT_FOUND, "gone").reason is None
    newer = Refused(code=Code.NOT_FOUND, message="gone", details={"reason": "OF_A_NEWER_VERSION"})
    assert newer.reason is None


def test_a_refusal_knows_its_cause_for_operators_alone() -> None:
    plain = refused(Code.INTERNAL_ERROR, "failed")
    assert (plain.cause, plain.replica) == (Cause.FAULT, None)
    away = refused(Code.INTERNAL_ERROR, "failed", cause=Cause.NO_OWNER)
    assert (away.cause, away.replica) == (Cause.NO_OWNER, None)
    silent = away.caused_by(Cause.NO_ANSWER, "state-1")
    assert (silent.cause, silent.replica) == (Cause.NO_ANSWER, "state-1")
    # The one that it is made of stays as it was.
    assert (away.cause, away.replica) == (Cause.NO_OWNER, None)
    assert plain.model_dump_json() == silent.model_dump_json()
