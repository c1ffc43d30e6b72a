"""Composes pieces in bulk, without a broker: one request per line in, one answer per line out.

``{"id", "music", "physics", "duration", "seed", "style", "after"}`` is answered by ``{"id",
"notes", "midi", "seed", "style", "meter", "instruments", "drums", "after"}``, the MIDI file in
base64, or by ``{"id", "error": {"code", "message", "details"}}``. Missing parameters take their
defaults; a missing seed or style is drawn. ``after`` is the ``id`` of an earlier line whose piece
this one answers; the answer has it only if that line is one of the last ``MOST_REMEMBERED``. A
piece without drums has no ``drums``.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, TypeVar

from pydantic import Field, ValidationError, create_model

from harmonic_music.composing import CompositionRequest
from harmonic_music.composing.memory import Theme, read_theme
from harmonic_music.performing import perform
from harmonic_protocol.messages.music import Duration, Seed
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, invalid_fields, refused
from harmonic_protocol.schema import ClientModel, WireModel
from harmonic_protocol.values import MusicParameters, PhysicsParameters, StyleName

P = TypeVar("P", bound=WireModel)
_NOT_COMPOSED = refused(Code.INTERNAL_ERROR, "The piece could not be composed")

#: Bytes of a line at most: a request has a few hundred, and a longer line is refused.
MAX_LINE_BYTES = 64 * 1024
#: Pieces that later ones can answer.
MOST_REMEMBERED = 256


def _strict(parameters: type[WireModel]) -> type[ClientModel]:
    """A parameter set as a client may send it: no other fields, and defaults for missing ones."""
    fields: dict[str, Any] = {
        name: (field.rebuild_annotation(), field.default)
        for name, field in parameters.model_fields.items()
    }
    made: type[ClientModel] = create_model(parameters.__name__, __base__=ClientModel, **fields)
    return made


_Music, _Physics = _strict(MusicParameters), _strict(PhysicsParameters)


class _Asked(ClientModel):
    """One line of input."""

    id: Any = None
    music: _Music = Field(default_factory=_Music)  # type: ignore[valid-type]
    physics: _Physics = Field(default_factory=_Physics)  # type: ignore[valid-type]
    duration: Duration
    seed: Seed | None = None
    style: StyleName | None = None
    after: Any = None


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a stream. Of a line that is too long, only enough is kept to show that it is."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        rest = line
        while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES + 1)
        yield line


def answers(lines: Iterable[bytes], new_seed: Callable[[], int]) -> Iterator[str]:
    """The answer to each line that is not blank."""
    known: dict[object, Theme] = {}
    for line in lines:
        if line.strip():
            yield _written(_answer(line, new_seed, known))


def _written(answer: Mapping[str, object]) -> str:
    """An answer as JSON. An ``id`` with numbers outside of standard JSON becomes ``null``."""
    try:
        return json.dumps(answer, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps({**answer, "id": None}, separators=(",", ":"), allow_nan=False)


def _answer(
    line: bytes, new_seed: Callable[[], int], known: dict[object, Theme]
) -> dict[str, object]:
    asked = _read(line)
    if not isinstance(asked, dict):
        return _error(None, asked)
    try:
        request = _Asked.model_validate(asked)
    except ValidationError as error:
        return _error(asked.get("id"), invalid_fields(error, _Asked))
    seed = new_seed() if request.seed is None else request.seed
    music = _parameters(MusicParameters, request.music)
    physics = _parameters(PhysicsParameters, request.physics)
    theme = known.get(request.after) if isinstance(request.after, str | int) else None
    try:
        made = perform(
            CompositionRequest(music, physics, request.duration, seed, request.style, theme)
        )
    except Exception:  # noqa: BLE001 -- one piece must not end all others
        return _error(request.id, _NOT_COMPOSED)
    _remember(known, request.id, made.score.theme)
    answer = {
        "id": request.id,
        "notes": json.loads(made.notes),
        "midi": base64.b64encode(made.midi).decode(),
        "seed": seed,
        **json.loads(made.more),
    }
    return answer | ({"after": request.after} if theme else {})


def _remember(known: dict[object, Theme], number: object, text: str | None) -> None:
    theme = read_theme(text) if text else None
    if theme is not None and isinstance(number, str | int):
        known.pop(number, None)
        known[number] = theme
        if len(known) > MOST_REMEMBERED:
            known.pop(next(iter(known)))


def _parameters(kind: type[P], asked: ClientModel) -> P:
    return kind.model_validate(asked.model_dump())


def _read(line: bytes) -> dict[str, Any] | Refused:
    if len(line) > MAX_LINE_BYTES:
        return refused(Code.INVALID_PARAMETERS, "The line is too long", limitBytes=MAX_LINE_BYTES)
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        return refused(Code.INVALID_PARAMETERS, "The line is not JSON", reason=Reason.NOT_JSON)
    if not isinstance(asked, dict):
        return refused(
            Code.INVALID_PARAMETERS, "A request is an object", reason=Reason.NOT_AN_OBJECT
        )
    return asked


def _error(number: object, refusal: Refused) -> dict[str, object]:
    return {"id": number, "error": refusal.model_dump(mode="json")}
