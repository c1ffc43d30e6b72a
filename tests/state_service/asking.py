"""Any request on a universe, from the declarations: for properties that hold whatever is asked."""

from collections.abc import Mapping
from typing import Any, get_args

from hypothesis import strategies as st
from pydantic import ValidationError

from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import OwnRequest
from harmonic_protocol.messages.universes import Operation
from harmonic_state.domain.universe_requests import UniverseRequest
from harmonic_state.requests import REQUESTS
from state_service.builders import UNIVERSE, caller

#: All that is decided on one universe.
ASKED: tuple[type[UniverseRequest], ...] = tuple(
    declared
    for declared in (*REQUESTS.values(), *get_args(OwnRequest))
    if issubclass(declared, UniverseRequest)
)
NAMES = ("owner", "ann", "bob", "eve")
USERS = st.sampled_from(NAMES)
CALLERS: st.SearchStrategy[Caller] = st.builds(
    caller, USERS, st.integers(1, 2), st.sampled_from(["g1", "g2"])
)
#: Values that have to meet others, by the names of their fields: few of each.
POOLS: Mapping[str, st.SearchStrategy[Any]] = {
    "universeId": st.just(UNIVERSE),
    "id": st.just(UNIVERSE),
    "name": st.sampled_from(["A universe", "Another"]),
    "userId": USERS,
    "gatewayId": st.sampled_from(["g1", "g2"]),
    "replaces": st.builds("{}-{}".format, USERS, st.integers(1, 2)),
    "requestId": st.integers(1, 60).map("id-{}".format),
    "streamId": st.integers(1, 60).map("id-{}".format),
    "bar": st.integers(0, 3),
    "opId": st.sampled_from(["a", "b", None]),
    "maxParticipants": st.integers(1, 4),
}


def asked(declared: type[UniverseRequest]) -> st.SearchStrategy[UniverseRequest]:
    """Any request of a class that can be asked."""
    schema = declared.model_json_schema(by_alias=True)

    def read(fields: dict[str, Any]) -> Any:
        try:
            return declared.model_validate(fields)
        except ValidationError:
            # Some fields go together, which no schema of one of them says.
            return None

    found = _any_of(schema, schema.get("$defs", {})).map(read)
    return found.filter(lambda request: request is not None)


def _any_of(  # noqa: C901, PLR0911, PLR0912 -- a table of cases
    schema: Mapping[str, Any], defs: Mapping[str, Any]
) -> st.SearchStrategy[Any]:
    match schema:
        case {"$ref": str(target)}:
            return _any_of(defs[target.rpartition("/")[2]], defs)
        case {"const": value}:
            return st.just(value)
        case {"enum": values}:
            return st.sampled_from(values)
        case {"anyOf": options}:
            return st.one_of([_any_of(option, defs) for option in options])
        case {"type": "null"}:
            return st.none()
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer"}:
            return st.integers(schema.get("minimum", 0), schema.get("maximum", 100))
        case {"type": "number"}:
            least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
            return st.floats(
                least, schema.get("maximum", 1000), exclude_min="exclusiveMinimum" in schema
            )
        case {"type": "string", "pattern": pattern}:
            return st.from_regex(pattern, fullmatch=True)
        case {"type": "string"}:
            return st.text("ab", min_size=schema.get("minLength", 1), max_size=8)
        case {"type": "array", "items": items}:
            return st.lists(_any_of(items, defs), max_size=3)
        case {"type": "object", "properties": properties}:
            return _object(schema, properties, defs)
        case _:
            raise TypeError(f"no values for {schema}")


def _object(
    schema: Mapping[str, Any], properties: Mapping[str, Any], defs: Mapping[str, Any]
) -> st.SearchStrategy[dict[str, Any]]:
    fields = {
        name: POOLS[name] if name in POOLS else _any_of(part, defs)
        for name, part in properties.items()
    }
    required = set(schema.get("required", ()))
    given = st.fixed_dictionaries(
        {name: strategy for name, strategy in fields.items() if name in required},
        optional={name: strategy for name, strategy in fields.items() if name not in required},
    )
    return given if required else given.filter(bool)


REQUESTS_ASKED: st.SearchStrategy[UniverseRequest] = st.one_of(*map(asked, ASKED))
OPERATIONS_ASKED: st.SearchStrategy[UniverseRequest] = st.one_of(
    [asked(declared) for declared in ASKED if issubclass(declared, Operation)]
)
STEPS = st.lists(st.tuples(REQUESTS_ASKED, CALLERS), max_size=60)
