"""What operators and load balancers ask a process: is it alive, is it ready, how is it doing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from aiohttp import web

from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.failures import CannotStart
from harmonic_runtime.process.settings import ServiceSettings
from harmonic_runtime.process.sites import start_site

#: How long requests in progress may take when the server stops.
SHUTDOWN_TIMEOUT_S = 1.0


class Readiness:
    """Whether the process wants new work: no while it starts, and no once it drains.

    ``waiting_for`` is what it lacks to start, if it is known.
    """

    def __init__(self) -> None:
        self.state: Literal["starting", "ready", "draining"] = "starting"
        self.waiting_for: str | None = None

    def describe(self) -> dict[str, str]:
        """The state, and the reason for it, as operators are told."""
        reason = {} if self.waiting_for is None else {"waitingFor": self.waiting_for}
        return {"status": self.state, **reason}

    def ready(self) -> None:
        """All is set up: new work may come."""
        if self.state == "starting":
            self.state = "ready"

    def drain(self) -> None:
        """The process is about to stop, or to be idle: work goes elsewhere from now on."""
        self.state = "draining"

    def resume(self) -> None:
        """The process wants new work again, if it was draining."""
        if self.state == "draining":
            self.state = "ready"


def health_routes(readiness: Readiness) -> list[web.RouteDef]:
    """The three questions that an orchestrator asks; each answer says the state and its reason.

    ``/startupz``: has it started? 503 until it has. ``/readyz``: does it want new work? 503
    unless it is ready. ``/healthz``: does its event loop live? 200 while it does. None of them
    asks the bus: without it every replica would leave the load balancer at once, or be restarted,
    and neither brings it back.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_request: web.Request) -> web.Response:
        status = 200 if readiness.state == "ready" else 503
        return web.json_response(readiness.describe(), status=status)

    async def startupz(_request: web.Request) -> web.Response:
        status = 503 if readiness.state == "starting" else 200
        return web.json_response(readiness.describe(), status=status)

    return [
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/startupz", startupz),
    ]


@asynccontextmanager
async def ops_server(
    settings: ServiceSettings, readiness: Readiness, metrics: Metrics
) -> AsyncIterator[int]:
    """Serve ``/healthz``, ``/readyz``, ``/startupz`` and ``/metrics``, and log where.

    The block is given the port.

    Raise :class:`CannotStart` if the address is taken.
    """

    async def show_metrics(_request: web.Request) -> web.Response:
        body, content_type = metrics.render()
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application()
    app.add_routes([*health_routes(readiness), web.get("/metrics", show_metrics)])
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_TIMEOUT_S
    )
    await runner.setup()
    try:
        try:
            port = await start_site(runner, settings.ops_host, settings.ops_port)
        except OSError as error:
            raise CannotStart(
                f"Cannot listen on {settings.ops_host}:{settings.ops_port} for /healthz, /readyz"
                f" and /metrics ({error.strerror}): set HARMONIC_OPS_HOST or HARMONIC_OPS_PORT."
            ) from error
        get_log().info("operations_listening", host=settings.ops_host, port=port)
        yield port
    finally:
        await runner.cleanup()
