"""Payloads: valid ones from the declarations, and what somebody may make of them who is not kind.

Values are Python's, but for ``Text``, which stands in the JSON as it is, JSON or not.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel

from harmonic_protocol.catalogue import COMMANDS

#: The room in which the well-behaved neighbour is, and others that may exist or not.
ROOM = "the-room"
UNIVERSES = (ROOM, "fuzz-1", "fuzz-2", "fuzz-3", "nowhere")
#: How many changes one payload may have gone through.
MAX_MUTATIONS = 4


class Text(str):
    """JSON, or not, to be sent as it stands."""

    __slots__ = ()


#: Values that make sense nowhere, or in few places.
HOSTILE: Sequence[Any] = (
    *(Text(word) for word in ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "-0")),
    *(Text(word) for word in ("9" * 400, "9" * 5000, "-" + "9" * 25, "0." + "1" * 3000, "1E5")),
    *(Text(word) for word in ('"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '"\\u202e"', '"\\x"')),
    *(Text("[" * depth + "]" * depth) for depth in (15, 16, 17, 400, 900, 1100, 30_000)),
    *(Text('{"a":' * depth + "1" + "}" * depth) for depth in (16, 300, 450, 950, 20_000)),
    Text('{"a":1,"a":2}'),
    Text('{"universeId":"the-room","universeId":7}'),
    Text('{"\\ud800":1}'),
    Text('{"__proto__":{"mode":"edit"},"constructor":{"prototype":{}}}'),
    *({"_placeholder": True, "num": number} for number in (0, 1, -1, 10**9, 0.5, "0", True, None)),
    {"_placeholder": 1, "num": 0},
    [{"_placeholder": True, "num": 0}] * 3,
    *(None, True, False, 0, 1, -1, 0.5, 2**31, 2**53, 2**63, 2**64, 10**19, 10**20, 1e308, 5e-324),
    *("", " ", "0", "null", "NaN", "edit", "the-room", "../../etc/passwd", "%00", "a.b.*.>", ">"),
    *("$JS.API.STREAM.DELETE.HU_LOG_0", "hu.log.*", "__proto__", "\u202eevil", "e\u0301" * 100),
    *("\u0000", "\x1e", "\ufeff", "\u200b", "\U0001d518" * 200, "a" * 65, "a" * 256, "x" * 70_000),
    *("eyJhbGciOiJub25lIn0.e30.", "' OR 1=1 --", "<script>alert(1)</script>", "${jndi:ldap://x}"),
    *([], {}, [[]], [{}], {"": ""}, list(range(30))),
    *(Text(json.dumps([value] * count)) for value, count in ((None, 3000), (0.5, 2048), (0, 2049))),
    Text(json.dumps({f"key{number}": number for number in range(1000)})),
    {"mode": "edit", "universeId": ROOM, "admin": True},
)

hostile = st.sampled_from(HOSTILE)


def encoded(value: Any) -> str:
    """A value as JSON, but for what stands as it is."""
    match value:
        case Text():
            return str(value)
        case dict():
            fields = (f"{encoded_key(key)}:{encoded(item)}" for key, item in value.items())
            return "{" + ",".join(fields) + "}"
        case list():
            return "[" + ",".join(map(encoded, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def encoded_key(key: str) -> str:
    """A field's name."""
    return str(key) if isinstance(key, Text) else json.dumps(key, ensure_ascii=False)


def valid(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """What a declaration lets through, or nearly so."""
    schema = model.model_json_schema(by_alias=True)
    return _of(schema, schema.get("$defs", {}))


#: Fields of objects that may have any, such as the states of participants, and their values.
_ANY_NAMES = ("x", "cursor", "", "constructor", "__proto__", "universeId", "k" * 200)
_any_values: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from((0, 1.5, -1, True, None, "held", "\u202e", "x" * 900, [0] * 300, {"y": {}})),
    hostile,
)


def _of(  # noqa: C901, PLR0911 -- a table of kinds
    schema: Mapping[str, Any], known: Mapping[str, Any]
) -> st.SearchStrategy[Any]:
    match schema:
        case {"$ref": reference}:
            return _of(known[reference.rpartition("/")[2]], known)
        case {"const": value}:
            return st.just(value)
        case {"enum": values}:
            return st.sampled_from(values)
        case {"anyOf": branches}:
            return st.one_of([_of(branch, known) for branch in branches])
        case {"type": "object", "properties": fields}:
            required = set(schema.get("required", ()))
            return st.fixed_dictionaries(
                {name: _field(name, fields[name], known) for name in fields if name in required},
                optional={
                    name: _field(name, fields[name], known)
                    for name in fields
                    if name not in required
                },
            )
        case {"type": "object"}:
            return st.dictionaries(st.sampled_from(_ANY_NAMES), _any_values, max_size=4)
        case {"type": "array"}:
            items = _of(schema["items"], known)
            return st.lists(items, max_size=4)
        case {"type": "integer"}:
            least, most = schema.get("minimum", 0), schema.get("maximum", 2**53 - 1)
            return st.sampled_from((least, most, least + 1, (least + most) // 2))
        case {"type": "number"}:
            least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
            most = schema.get("maximum", 20)
            return st.sampled_from([least + (most - least) * part / 16 for part in range(1, 17)])
        case {"type": "null"}:
            return st.none()
        case _:
            return st.sampled_from(("a", "rainbow", "C", "2024-03-21T10:30:00Z", "op-1", "op-2"))


def _field(
    name: str, schema: Mapping[str, Any], known: Mapping[str, Any]
) -> st.SearchStrategy[Any]:
    if name == "universeId":
        return st.sampled_from((*[ROOM] * 5, *UNIVERSES))
    if name == "duration":
        # Longer pieces would only take the music service's time.
        return st.sampled_from((0.5, 1, 2))
    return _of(schema, known)


def mutated(base: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values of a strategy with something wrong in them, mostly."""
    place = st.integers(0, 255)
    changes = st.lists(st.tuples(place, st.sampled_from(_CHANGES), hostile), max_size=MAX_MUTATIONS)

    def change(drawn: tuple[Any, list[tuple[int, Any, Any]]]) -> Any:
        value, todo = drawn
        for where, what, new in todo:
            value = _change(value, where, what, new)
        return value

    return st.tuples(base, changes).map(change)


_Change = Callable[[Any, Any, Any], Any]


def _change(value: Any, where: int, what: _Change, new: Any) -> Any:
    """Do something in one of the places of a value, which ``where`` chooses."""
    if isinstance(value, dict) and value and where % 8:
        keys = list(value)
        key = keys[where % len(keys)]
        child = value[key]
        if isinstance(child, dict | list) and child and where & 16:
            return {**value, key: _change(child, where // 3 + 1, what, new)}
        return what(value, key, new)
    if isinstance(value, list) and value and where % 8:
        index = where % len(value)
        return [*value[:index], _change(value[index], where // 3, what, new), *value[index + 1 :]]
    return what({"": value}, "", new).get("", new)


def _replace(fields: dict[Any, Any], key: Any, new: Any) -> dict[Any, Any]:
    return {**fields, key: new}


def _leave_out(fields: dict[Any, Any], key: Any, _: Any) -> dict[Any, Any]:
    return {name: item for name, item in fields.items() if name != key}


def _add(fields: dict[Any, Any], _: Any, new: Any) -> dict[Any, Any]:
    name = Text(encoded(new)) if isinstance(new, str) and new[:1] != "[" else "extra"
    return {**fields, name: new}


def _wrap(fields: dict[Any, Any], key: Any, _: Any) -> dict[Any, Any]:
    return {**fields, key: [fields[key]]}


def _as_text(fields: dict[Any, Any], key: Any, _: Any) -> dict[Any, Any]:
    return {**fields, key: encoded(fields[key])[:1000]}


def _misspell(fields: dict[Any, Any], key: Any, _: Any) -> dict[Any, Any]:
    return {(f"{name}s" if name == key else name): item for name, item in fields.items()}


_CHANGES: tuple[_Change, ...] = (
    *[_replace] * 5,
    _leave_out,
    *[_add] * 2,
    _wrap,
    _as_text,
    _misspell,
)

#: Names that clients may not use, or nobody knows.
NAMES: Sequence[str] = (
    *("connect", "disconnect", "connect_error", "disconnecting", "newListener", "error", "message"),
    *("physics_updated", "room_joined", "self_destruct", "", "__proto__", "x" * 300, "*", "\u0000"),
)


def _event(name: str, payload: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return payload.map(lambda value: [name, value])


#: Events of known names, each with one argument, in which something is wrong, mostly.
_declared = [_event(name, mutated(valid(model))) for name, model in COMMANDS.items()]
#: Events that are at least that: a text first.
proper_events: st.SearchStrategy[list[Any]] = st.one_of(
    *_declared * 3,
    st.tuples(st.sampled_from((*COMMANDS, *NAMES)), hostile).map(list),
)
#: Events as somebody may send them who does not care.
events: st.SearchStrategy[list[Any]] = st.one_of(
    *_declared * 2,
    st.tuples(st.sampled_from((*COMMANDS, *NAMES)), hostile).map(list),
    st.lists(hostile, max_size=3).map(list),
)
