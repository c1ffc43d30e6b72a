"""The types of all payloads, and of the events in both directions, for socket.io-client."""

import json
import textwrap
from collections.abc import Mapping

from harmonic_protocol.catalogue import COMMANDS, EVENTS
from harmonic_protocol.export import prose
from harmonic_protocol.export.definitions import definitions
from harmonic_protocol.export.envelopes import ConnectError, Rejected, accepted
from harmonic_protocol.export.tidying import REF_PREFIX, TYPED_ARRAY, Schema, bounds
from harmonic_protocol.messages.connection import PROTOCOL_VERSION
from harmonic_protocol.messages.parameters import Parameters

_HEAD = f"""\
// {prose.TITLE}, version {PROTOCOL_VERSION} of its protocol. Generated from the declarations.
//
//   import {{ io, type Socket }} from "socket.io-client";
//   const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io("…/ws", …);
//
// A refused connection: socket.on("connect_error", error => (error as ConnectError).data?.code)"""
_EMIT = """\
/** An event that may be emitted with or without a wish for an ack. */
export type Emit<Payload, Answer> = (
  ...args: [payload: Payload] | [payload: Payload, ack: (answer: Answer) => void]
) => void;"""
_DERIVED = """\
/** The name of a command. */
export type CommandName = keyof ClientToServerEvents;

/** What the command `C` carries. */
export type PayloadOf<C extends CommandName> =
  ClientToServerEvents[C] extends Emit<infer Payload, infer _> ? Payload : never;

/** The ack of the command `C`, carried out or refused. */
export type AnswerOf<C extends CommandName> =
  ClientToServerEvents[C] extends Emit<infer _, infer Answer> ? Answer : never;

/** What an event carries. */
export type EventOf<E extends keyof ServerToClientEvents> =
  ServerToClientEvents[E] extends (payload: infer Payload) => void ? Payload : never;

/** A refusal as clients throw it, with what programs ask for most beside its `details`. */
export interface RefusalError extends Error {
  code: ErrorCode;
  reason?: ErrorReason | undefined;
  retryAfterMs?: number | undefined;
  fields?: Array<InvalidField> | undefined;
  details: Details;
}"""
_RANGES = """\
/** What values a parameter takes, for those who build controls. */
export interface ParameterRange {
  readonly default: number | string;
  /** The smallest number. */
  readonly min?: number;
  /** The largest number. */
  readonly max?: number;
  /** Only whole numbers are taken. */
  readonly whole?: true;
  /** The words that are taken; without them and without numbers, any word. */
  readonly options?: readonly string[];
}

/** What values each parameter takes, set by set. */
export const PARAMETERS: {
  readonly [S in keyof Parameters]: { readonly [F in keyof Parameters[S]]: ParameterRange };
} = """
_WIDTH_CHARACTERS = 100
_PLAIN = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "null": "null",
}


def document() -> str:
    """The whole module."""
    types = (_type(name, schema) for name, schema in definitions().items())
    said = {
        name: (
            prose.of_command(command),
            f"Emit<{command.__name__}, {accepted(command).__name__} | {Rejected.__name__}>",
        )
        for name, command in COMMANDS.items()
    }
    told = {
        name: (prose.of_event(event), f"(payload: {event.__name__}) => void")
        for name, event in EVENTS.items()
    }
    maps = (
        _map("ClientToServerEvents", "What a client may emit.", said),
        _map("ServerToClientEvents", "What a client may hear.", told),
    )
    return "\n\n".join([_HEAD, *types, _EMIT, *maps, _DERIVED, _RANGES + _ranges()]) + "\n"


def _map(name: str, text: str, entries: Mapping[str, tuple[list[str], str]]) -> str:
    fields = (
        _comment("\n\n".join(paragraphs), "  ") + f"  {event}: {kind};\n"
        for event, (paragraphs, kind) in entries.items()
    )
    return f"{_comment(text)}export interface {name} {{\n{''.join(fields)}}}"


def _ranges() -> str:
    """The table of :data:`_RANGES`, as an object."""
    known = definitions()

    def referred(part: Schema) -> Schema:
        return {**known[str(part["$ref"]).removeprefix(REF_PREFIX)], **part}

    lines = ["{"]
    for name, part in known[Parameters.__name__]["properties"].items():
        fields = referred(part)["properties"].items()
        ranges = (
            f"    {field}: {json.dumps(_range(referred(value) if '$ref' in value else value))},"
            for field, value in fields
        )
        lines += [f"  {name}: {{", *ranges, "  },"]
    return "\n".join([*lines, "};"])


def _range(schema: Schema) -> dict[str, object]:
    named = {"default": "default", "minimum": "min", "maximum": "max", "enum": "options"}
    found = {name: schema[key] for key, name in named.items() if key in schema}
    return found | ({"whole": True} if schema["type"] == "integer" else {})


def _type(name: str, schema: Schema) -> str:
    head = _comment(schema.get("description", ""))
    if name == TYPED_ARRAY:
        return f"{head}export type {name} = ArrayBuffer | ArrayBufferView;"
    if "oneOf" in schema:
        return f"{head}export type {name} =\n{_choice(schema)};"
    if "properties" not in schema:
        return f"{head}export type {name} = {_of(schema)};"
    required = schema.get("required", ())
    fields = (
        _comment(_about(part), "  ")
        + f"  {field}{'' if field in required else '?'}: {_of(part)};\n"
        for field, part in schema["properties"].items()
    )
    base = " extends Error" if name == ConnectError.__name__ else ""
    return f"{head}export interface {name}{base} {{\n{''.join(fields)}}}"


def _choice(schema: Schema) -> str:
    """The literals of a choice, one per line, each after its meaning."""
    return "\n".join(
        f"{_comment(option['description'], '  ')}  | {json.dumps(option['const'])}"
        for option in schema["oneOf"]
    )


def _about(schema: Schema) -> str:
    facts = [bounds(schema), f"default {schema['default']}" if "default" in schema else ""]
    known = ", ".join(filter(None, facts))
    text: str = schema.get("description", "")
    return f"{text} {known[:1].upper()}{known[1:]}.".strip() if known else text


def _comment(text: str, indent: str = "") -> str:
    """A comment of its own line or lines, or nothing."""
    if not text:
        return ""
    width = _WIDTH_CHARACTERS - len(indent) - len("/**  */")
    lines = [line for part in text.split("\n\n") for line in ("", *textwrap.wrap(part, width))]
    match lines[1:]:
        case [line]:
            return f"{indent}/** {line} */\n"
        case many:
            body = "".join(f"{indent} * {line}".rstrip() + "\n" for line in many)
            return f"{indent}/**\n{body}{indent} */\n"


def _of(schema: Schema) -> str:  # noqa: PLR0911 -- a table of cases
    match schema:
        case {"$ref": str(target)}:
            return target.removeprefix(REF_PREFIX)
        case {"const": value}:
            return json.dumps(value)
        case {"enum": values}:
            return " | ".join(map(json.dumps, values))
        case {"anyOf": options}:
            return " | ".join(map(_of, options))
        case {"type": "array", "items": items}:
            return f"Array<{_of(items)}>"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"Record<string, {_of(values)}>"
        case {"type": "object"}:
            return "Record<string, unknown>"
        case _:
            return _PLAIN[schema["type"]]
