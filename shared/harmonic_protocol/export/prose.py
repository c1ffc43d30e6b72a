"""The sentences of the documents for what the declarations say in one word."""

from collections.abc import Mapping
from http import HTTPStatus

from harmonic_protocol.catalogue import EVENTS
from harmonic_protocol.export.tidying import sentence
from harmonic_protocol.messages.declaration import (
    API_PREFIX,
    KIB,
    Audience,
    Command,
    Delivery,
    Event,
    Grant,
    RateClass,
    Scope,
)
from harmonic_protocol.messages.following import KEEP_ALIVE_S, LAST_EVENT_ID, MAX_MISSED_EVENTS
from harmonic_protocol.messages.parameters import PARAMETER_SETS
from harmonic_protocol.refusals import Code

TITLE = "Harmonic Universe"
*_OTHER_SETS, _LAST_SET = PARAMETER_SETS
SUMMARY = (
    f"People share a universe: its {', '.join(_OTHER_SETS)} and {_LAST_SET} parameters. They"
    " change the parameters together, see who else is in the room, and hear music that is composed"
    " from the parameters."
)

#: The namespaces that are served, the canonical one first.
NAMESPACES = ("/ws", "/")
#: The HTTP path at which Engine.IO listens, and its alias.
ENGINE_PATHS = ("/socket.io/", "/ws/")

DELIVERIES: Mapping[Delivery, str] = {
    Delivery.REPLAYED: (
        "It is stored and numbered by `seq` before anyone sees it. A client that missed it while"
        " its session is recovered is sent it again."
    ),
    Delivery.PRESENCE: (
        "It is stored and numbered by `seq`, but never sent again: the list of participants in"
        " `room_joined` replaces what was missed."
    ),
    Delivery.TIMED: (
        "It is for a certain time: it is not numbered, and is sent again to clients that enter or"
        " return before that time is over. It is dropped only after that."
    ),
    Delivery.LIVE: (
        "It is a live signal: not stored, not numbered, never sent again, and the first to be"
        " dropped under pressure."
    ),
    Delivery.DIRECT: "It is an answer to one connection, and not stored.",
}

AUDIENCES: Mapping[Audience, str] = {
    Audience.ROOM: "everyone in the room, the sender included",
    Audience.OTHERS: "everyone else in the room, the sender's other connections included",
    Audience.CALLER: "the connection that it concerns",
}

CODES: Mapping[Code, str] = {
    Code.AUTH_ERROR: ("The token is missing, expired or not valid, as `details.reason` says."),
    Code.NOT_FOUND: "It does not exist, or the user may not see it.",
    Code.PERMISSION_DENIED: (
        "The user may see the universe, but not do this; `details.reason` says why."
    ),
    Code.INVALID_PARAMETERS: (
        "The request is not what this document says; `details.fields` names each field at fault"
        " with its reason and range, or `details.reason` says what is wrong with the whole."
    ),
    Code.ROOM_FULL: "The room has as many users as the universe allows.",
    Code.RATE_LIMITED: (
        "An allowance is used up, or too many requests are under way. If `details.retryAfterMs` is"
        " given, a request after that many milliseconds succeeds."
    ),
    Code.INTERNAL_ERROR: (
        "The server failed, or cannot do this at the moment. With `details.retryAfterMs`, another"
        " try after that time may succeed."
    ),
}

STATUSES: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "`INVALID_PARAMETERS`: the request is not what this document says.",
    HTTPStatus.UNAUTHORIZED: "`AUTH_ERROR`: the token is missing, expired or not valid.",
    HTTPStatus.FORBIDDEN: "`PERMISSION_DENIED`: visible to the caller, but not allowed.",
    HTTPStatus.NOT_FOUND: "`NOT_FOUND`: not there, or not visible to the caller.",
    HTTPStatus.CONFLICT: (
        "`INVALID_PARAMETERS`: the id is taken, for ever if it was ever used; or the caller owns as"
        " many universes as a user may (`details.reason` is `QUOTA`, `details.limit` how many)."
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "`INVALID_PARAMETERS`: the body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "`INVALID_PARAMETERS`: the content type is not JSON.",
    HTTPStatus.TOO_MANY_REQUESTS: "`RATE_LIMITED`: try again after `Retry-After` seconds.",
    HTTPStatus.SERVICE_UNAVAILABLE: "`INTERNAL_ERROR`: try again after `Retry-After` seconds.",
}
OTHER_STATUS = "Any other failure, in the same form."

SOCKET_IO = (
    "Each command and each event is an event of Socket.IO with one argument, a JSON object. A"
    " command is answered by events, and by an ack where the client asks for one."
)
AUTHENTICATION = (
    "The token is a JSON Web Token whose `sub` is the user id. It is taken from `auth.token`, else"
    " from the header `Authorization: Bearer`, else from the query parameter `token`."
)
AUTH_FUNCTION = (
    "Prefer the function `auth`: it is asked again at every reconnection, and keeps the token out"
    " of addresses."
)
ADDRESSES = (
    f"`{NAMESPACES[0]}` in the address is a namespace of Socket.IO; `{NAMESPACES[1]}` is served in"
    f" the same way. The HTTP path is `{ENGINE_PATHS[0]}`, the clients' default, or"
    f" `{ENGINE_PATHS[1]}`."
)
CONNECTING = f"""\
const socket = io('wss://example.com{NAMESPACES[0]}', {{
  auth: callback => callback({{ token: 'your-jwt-token' }}),
}});
socket.on('connect_error', error => console.error(error.message, error.data));"""
NOT_NOW = (
    "A server that accepts no connection at the moment answers with HTTP status 503 and"
    " `Retry-After`. Clients try again by themselves."
)
ORDER = (
    "The server carries out a client's commands in the order in which they were sent. A client may"
    " send a command again with the same `opId`: it is carried out once, and acknowledged as the"
    " first time."
)
DETAILS = (
    "`details` names the `event`, and the `universeId` and `opId` if they were given, and holds an"
    " `errorId` that is found in the server's logs. `details.reason` is an"
    " [ErrorReason](#errorreason). A newer version may give other reasons: act on the code then."
)
LIMITS = (
    "`connect_success` announces the limits of this server. A client that reaches a limit is told"
    " so, and stays connected."
)
HTTP = (
    "Fields that are not in the path come in the query of a GET, and in the JSON body of anything"
    f" else. `{API_PREFIX}/openapi.json` describes the API; it needs no token, nor do `/healthz`"
    " and `/readyz`. A request that fails is answered with a status and one of the codes above:"
)
BEARER = (
    "Each request carries a JSON Web Token whose `sub` is the user id, in the header"
    " `Authorization: Bearer`."
)
GRANTS = {
    Grant.USER: "every user",
    Grant.VISITOR: "whoever may see the universe",
    Grant.OWNER: "the universe's owner",
    Grant.SERVICE: "services",
}
HIDDEN = (
    "A request for a universe that the caller may not see is answered by 404, as if it did not"
    " exist; an operation that is not allowed in a visible universe, by 403."
)
_STREAMED = ", ".join(
    f"`{name}`"
    for name, event in EVENTS.items()
    if event.spec.delivery in {Delivery.REPLAYED, Delivery.PRESENCE}
)
STREAMED = (
    "Server-sent events that go on until the client, the gateway, or the end of the user's right"
    f" to see the universe ends them: `universe_state` or `universe_reset`, then {_STREAMED}, each"
    " as the room is sent it, and `stream_ended`."
)
STREAMS = (
    (
        "`GET …/stream` is answered by server-sent events, for dashboards, bots and `curl -N`. A"
        " follower is no participant: it takes no seat, is in no list, and sends nothing. It"
        " counts as a connection of its user."
    ),
    (
        "The first event is `universe_state`. Then comes each stored event as the room is sent it"
        f" ({_STREAMED}), in the order of `seq` and without gaps. Live signals are not sent."
    ),
    (
        "Each event has an `id`. A client whose stream broke asks again, at any gateway, with the"
        f" last one in the header `{LAST_EVENT_ID}`, which `EventSource` sends by itself, or as the"
        " query's `lastEventId`: the next event is the one after it. Each event comes once, and"
        " none is marked `replayed`. If the log does not continue from there, or more than"
        f" {MAX_MISSED_EVENTS:,} events were missed, the first event is `universe_reset`. A user"
        " who may see a universe now may also read its earlier events."
    ),
    (
        "A stream ends within a second of its token's end, of its user's right to see the"
        " universe, or when its user, being a participant, is removed from the room:"
        " `stream_ended` says why. After a removal, with the reason `KICKED`, another stream may"
        " be opened. A gateway that stops ends its streams with a `retry:`"
        " of milliseconds; a client that does not read is disconnected. Clients reconnect with"
        f" their last `id`. A stream without events gets a comment every {KEEP_ALIVE_S} seconds."
    ),
)
STREAM_OF_BYTES = """\
$ curl -N -H "Authorization: Bearer $TOKEN" https://example.com/api/v1/universes/universe-123/stream
id: universe-123:4711:123456
event: universe_state
data: {"universeId":"universe-123","seq":41,…}

id: universe-123:4712:654321
event: physics_updated
data: {"universeId":"universe-123","seq":42,…}"""
STREAMS_IN_BROWSERS = (
    "`EventSource` of browsers cannot send a token, and a token does not belong into an address,"
    " where proxies log it. Read the stream by `fetch`; or ask `GET …/stream/link` for an address"
    " that opens streams of this one universe for five minutes. Such a stream ends when a stream"
    " with the token that asked for the link would end. While the link works, `EventSource`"
    " reconnects by itself. After that, it closes: ask for another link, and pass the last `id` as"
    " `lastEventId`."
)
STREAM_BY_LINK = """\
async function follow(lastId) {
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await fetch('/api/v1/universes/universe-123/stream/link', { headers });
  const { stream } = await answer.json();
  const source = new EventSource(stream + (lastId ? `&lastEventId=${lastId}` : ''));
  source.addEventListener('physics_updated', event => {
    lastId = event.lastEventId;
    hear(event.type, JSON.parse(event.data));
  });
  source.addEventListener('stream_ended', () => source.close());
  source.addEventListener('error', () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 1000, lastId);
  });
}"""
STREAM_BY_FETCH = """\
const answer = await fetch('/api/v1/universes/universe-123/stream', {
  headers: { Authorization: `Bearer ${token}`, ...(lastId && { 'Last-Event-ID': lastId }) },
});
const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
let rest = '';
for (let part; !(part = await reader.read()).done; ) {
  const events = (rest + part.value).split('\\n\\n');
  rest = events.pop();
  for (const event of events) {
    const field = name => event.match(new RegExp(`^${name}: (.*)$`, 'm'))?.[1];
    lastId = field('id') ?? lastId;
    if (field('event')) hear(field('event'), JSON.parse(field('data')));
  }
}"""
SERVICES = (
    "Other backends may call the API as services, where the server has a key or an audience for"
    " their tokens: such a token names the service in the claim `harmonic_service`, and opens no"
    " socket. A service acts in its own name: its user id is `service:` and the name, and what it"
    " changes says which `service` it was. It may do what the table says in every universe,"
    " private ones too, and is refused anything else by 403 with the reason `SERVICE`. Users are"
    " refused what is for services alone."
)
CONNECT_ERROR = (
    "A refused connection is answered by a CONNECT_ERROR packet of Socket.IO, not by an event."
    " Clients call their `connect_error` listeners with an `Error`: its `message` is the text, and"
    " its `data` holds `{error, code, details}`. The client does not try again by itself."
)


def counted(rate: RateClass) -> str:
    """What a rate class counts, for whom and in which window."""
    counts = rate.counts[:1].upper() + rate.counts[1:]
    match rate.scope:
        case Scope.USER:
            return f"{counts} of a user in any {rate.window}"
        case Scope.CONNECTION:
            return f"{counts} of a connection in a {rate.window}"
        case Scope.SERVICE:
            return f"{counts} of a service in any {rate.window}"


def granted(rate: RateClass) -> str:
    """The number of requests that a rate class allows."""
    match rate.scope:
        case Scope.USER | Scope.SERVICE:
            return str(rate.allowance)
        case Scope.CONNECTION:
            return f"{rate.allowance} on average, {rate.burst} at once"


def of_command(command: type[Command]) -> list[str]:
    """The meaning of a command, its limits and its answers."""
    spec = command.spec
    answers = " and ".join(f"`{name}`" for name in spec.answers)
    followed = f"Followed by {answers}, or by" if answers else "Followed by"
    allowance = f" {counted(spec.rate)}: {granted(spec.rate)}." if spec.rate else ""
    limits = (
        f"{followed} `{spec.failure.value}` where it is refused.{allowance} A message may take"
        f" {spec.max_bytes // KIB} KiB."
    )
    return [sentence(command.__doc__ or ""), limits]


def of_event(event: type[Event]) -> list[str]:
    """The meaning of an event, its audience, and its delivery."""
    spec = event.spec
    fate = f"Sent to {AUDIENCES[spec.audience]}. {DELIVERIES[spec.delivery]}"
    return [sentence(event.__doc__ or ""), fate]
