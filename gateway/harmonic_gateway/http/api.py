"""The HTTP API: one route per declared operation, answered by the universe's owner."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, assert_never

from aiohttp import web
from aiohttp.typedefs import Middleware
from pydantic import ValidationError

from harmonic_gateway.commands.inbound import misshapen
from harmonic_gateway.failures import Failures
from harmonic_gateway.http.api_answers import ApiAnswers
from harmonic_gateway.identity.standing import Standing
from harmonic_gateway.identity.verification import Identity, bearer
from harmonic_gateway.limits.paid_calls import PaidCalls
from harmonic_gateway.limits.switches import Switches
from harmonic_gateway.owners import Owners
from harmonic_protocol.catalogue import OPERATIONS, ApiOperation
from harmonic_protocol.envelope import TRACEPARENT, RequestTrace
from harmonic_protocol.export import openapi
from harmonic_protocol.export.operations import has_body, has_more_than_path
from harmonic_protocol.messages.declaration import (
    API_PREFIX,
    JSON_TYPE,
    MAX_MESSAGE_BYTES,
    RateClass,
    Request,
)
from harmonic_protocol.messages.following import FollowUniverse
from harmonic_protocol.messages.services import CommandOperation, ComposeMusic
from harmonic_protocol.messages.universes import (
    CreateUniverse,
    ListUniverses,
    UniverseOperation,
)
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, invalid_fields, refused
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.tracing import Tracer, is_traceparent, trace_id_of
from harmonic_runtime.process.entropy import new_id

_STATUS_BY_CODE = {
    Code.AUTH_ERROR: HTTPStatus.UNAUTHORIZED,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    Code.INVALID_PARAMETERS: HTTPStatus.BAD_REQUEST,
    Code.ROOM_FULL: HTTPStatus.CONFLICT,
    Code.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}
_STATUS_BY_REASON: dict[Reason | None, HTTPStatus] = {
    Reason.TAKEN: HTTPStatus.CONFLICT,
    Reason.QUOTA: HTTPStatus.CONFLICT,
    Reason.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.CONTENT_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Reason.METHOD: HTTPStatus.METHOD_NOT_ALLOWED,
}

#: For HEAD, aiohttp would run the handler of GET and write a whole stream.
_ASKED_BY_GET_ALONE: Mapping[type[ApiOperation], Mapping[str, Any]] = {
    FollowUniverse: {"allow_head": False}
}
#: Refusals of calls that no allowance bounds: of their log lines, a sample is written.
_SAMPLED = frozenset({Code.AUTH_ERROR, Code.RATE_LIMITED})
#: How long a body may take to arrive.
BODY_TIMEOUT_S = 10.0


class Api:
    """Makes routes from the declarations. The owner decides what a request may do."""

    def __init__(
        self,
        *,
        standing: Standing,
        calls: PaidCalls,
        owners: Owners,
        answers: ApiAnswers,
        switches: Switches,
        gateway_id: str,
        tracer: Tracer,
        failures: Failures,
    ) -> None:
        self._standing = standing
        self._calls = calls
        self._owners = owners
        self._answers = answers
        self._switches = switches
        self._gateway_id = gateway_id
        self._tracer = tracer
        self._failures = failures
        self._openapi = json.dumps(openapi.document()).encode()

    def routes(self) -> list[web.RouteDef]:
        """All routes of the API."""
        return [
            web.get(f"{API_PREFIX}/openapi.json", self._document),
            *(
                web.route(
                    operation.spec.method,
                    API_PREFIX + operation.spec.path,
                    self._handler(operation),
                    **_ASKED_BY_GET_ALONE.get(operation, {}),
                )
                for operation in OPERATIONS.values()
            ),
        ]

    async def _document(self, _: web.Request) -> web.Response:
        return web.Response(body=self._openapi, content_type=JSON_TYPE)

    def _handler(
        self, operation: type[ApiOperation]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            said = request.headers.get(TRACEPARENT, "")
            span = self._tracer.begin(operation.spec.name, said if is_traceparent(said) else "")
            answer = await self._answer(operation, request, RequestTrace(None, span.traceparent))
            if isinstance(answer, Refused):
                span.end(answer.code.value)
                return self._error(answer, operation, request, trace_id_of(span.traceparent))
            span.end()
            return answer

        return handle

    async def _answer(
        self, operation: type[ApiOperation], request: web.Request, trace: RequestTrace
    ) -> web.StreamResponse | Refused:
        identity = self._answers.identify(operation, request)
        if identity is None:
            identity = await self._standing.identify(bearer(request.headers))
        if isinstance(identity, Refused):
            return identity
        over = await self._calls.take(identity.user_id, _rates(operation, identity))
        if over is not None:
            return over
        asked = await read_operation(operation, request)
        if isinstance(asked, Refused):
            return asked
        # The token may have expired while the body arrived.
        unfit = self._standing.refusal_to_admit(identity)
        if unfit is None and isinstance(asked, FollowUniverse):
            return await self._answers.follow(request, asked, identity)
        return unfit or await self._carry_out(asked, identity, trace)

    async def _carry_out(
        self, asked: ApiOperation, identity: Identity, trace: RequestTrace
    ) -> web.StreamResponse | Refused:
        if isinstance(asked, CreateUniverse) and asked.id is None:
            asked = asked.model_copy(update={"id": new_id()})
        request: Request = asked
        if isinstance(asked, CommandOperation):
            request = command = asked.command()
            refusal = self._switches.refusal(type(command))
            if refusal is not None:
                return refusal
        reply = await self._owners.ask(
            *(_key(asked, identity), request.operation(), request),
            *(identity.caller(self._gateway_id), trace),
        )
        if reply.error is not None:
            return reply.error
        return await self._answers.answer(asked, identity, reply)

    def _error(
        self,
        refusal: Refused,
        operation: type[ApiOperation],
        request: web.Request,
        error_id: str,
    ) -> web.Response:
        self._failures.report(
            "operation_refused",
            refusal,
            error_id=error_id,
            universe_id=request.match_info.get("universeId"),
            in_full=refusal.code not in _SAMPLED,
            operation=operation.spec.name,
        )
        return error_response(refusal.about(errorId=error_id))


def _rates(operation: type[ApiOperation], identity: Identity) -> tuple[RateClass, ...]:
    """The rate classes that a call counts for."""
    if identity.service is None:
        return (RateClass.OPERATIONS,)
    if issubclass(operation, ComposeMusic):
        return (RateClass.SERVICE_CALLS, RateClass.SERVICE_PIECES)
    return (RateClass.SERVICE_CALLS,)


def _key(asked: ApiOperation, identity: Identity) -> str:
    match asked:
        case CreateUniverse():
            return asked.id or ""
        case UniverseOperation():
            return asked.universe_id
        case ListUniverses():
            return identity.user_id
        case unreachable:
            assert_never(unreachable)


def error_response(refusal: Refused) -> web.Response:
    """A refusal in the API's format, with its HTTP status."""
    retry_ms = refusal.details.get("retryAfterMs")
    status = _STATUS_BY_REASON.get(refusal.reason) or _STATUS_BY_CODE[refusal.code]
    if status is HTTPStatus.INTERNAL_SERVER_ERROR and retry_ms is not None:
        status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = {} if retry_ms is None else {"Retry-After": str(-(-retry_ms // 1000))}
    return web.json_response({"error": refusal.to_wire()}, status=status, headers=headers)


async def read_operation(
    operation: type[ApiOperation], request: web.Request
) -> ApiOperation | Refused:
    """The operation of a request, or why the request is not valid."""
    path = dict(request.match_info)
    try:
        if not has_body(operation):
            if not has_more_than_path(operation):
                return operation.model_validate(path)
            said = {**request.query, **path}
            return misshapen((said,)) or operation.model_validate_strings(said)
        body = await read_body(request)
        if isinstance(body, Refused):
            return body
        # The path names the universe: a body that names one, too, could contradict it.
        for name in path:
            if name in body:
                return refused(
                    Code.INVALID_PARAMETERS,
                    f"Invalid parameters: {name} is not a known field",
                    fields=[{"field": name, "reason": "is not a known field"}],
                )
        return operation.model_validate({**body, **path})
    except ValidationError as error:
        return invalid_fields(error, operation)


async def read_body(request: web.Request) -> dict[str, Any] | Refused:
    """The JSON object in a request's body, or why there is none."""
    if request.content_type != JSON_TYPE or request.headers.get("Content-Encoding"):
        return refused(
            Code.INVALID_PARAMETERS,
            f"The body must be {JSON_TYPE}, as it is",
            reason=Reason.CONTENT_TYPE,
        )
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            text = await request.read()
        body = json.loads(text)
    except (TimeoutError, web.RequestPayloadError):
        return refused(
            Code.INVALID_PARAMETERS, "The body did not come whole", reason=Reason.NOT_WHOLE
        )
    except web.HTTPRequestEntityTooLarge:
        return refused(
            Code.INVALID_PARAMETERS,
            f"The body may have at most {MAX_MESSAGE_BYTES} bytes",
            reason=Reason.TOO_LARGE,
            limitBytes=MAX_MESSAGE_BYTES,
        )
    except (ValueError, RecursionError):
        return refused(Code.INVALID_PARAMETERS, "The body is no JSON", reason=Reason.NOT_JSON)
    if not isinstance(body, dict):
        return refused(
            Code.INVALID_PARAMETERS, "The body must be a JSON object", reason=Reason.NOT_AN_OBJECT
        )
    return misshapen((body,)) or body


def error_middleware(failures: Failures, log: BoundLogger) -> Middleware:
    """Answers in the API's format for unknown routes and methods, and where a handler fails."""

    @web.middleware
    async def in_format(
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return error_response(refused(Code.NOT_FOUND, "There is nothing at this address"))
        except web.HTTPMethodNotAllowed as error:
            allowed = ", ".join(sorted(error.allowed_methods))
            response = error_response(
                refused(Code.INVALID_PARAMETERS, f"Allowed here: {allowed}", reason=Reason.METHOD)
            )
            response.headers["Allow"] = allowed
            return response
        except web.HTTPException:
            raise
        except Exception:
            error_id = new_id()
            log.exception("request_failed", path=request.path, error_id=error_id)
            failed = refused(Code.INTERNAL_ERROR, "The server failed to answer", errorId=error_id)
            failures.report("request_refused", failed, error_id=error_id, path=request.path)
            return error_response(failed)

    return in_format
