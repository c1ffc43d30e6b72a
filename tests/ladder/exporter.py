"""A stand-in for prometheus-nats-exporter: some of a broker's ``/varz`` and ``/jsz``, by its names.

The exporter itself is not to be had from the registries that the ladder installs from. What alerts
and dashboards read is given here as it would be with ``-varz -jsz=all -prefix=nats``.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from harmonic_local.processes import free_port

TIMEOUT_S = 1.0


def exported(varz: Mapping[str, Any], jsz: Mapping[str, Any]) -> dict[str, float]:
    """The series of one broker, by what the text format calls them."""
    server = f'server_id="{varz["server_id"]}"'
    store = varz["jetstream"]
    meta = jsz.get("meta_cluster") or {}
    leader = f'{server},server_name="{varz["server_name"]}",meta_leader="{meta.get("leader", "")}"'
    return {
        f"nats_varz_slow_consumers{{{server}}}": varz["slow_consumers"],
        f"nats_varz_connections{{{server}}}": varz["connections"],
        f"nats_varz_jetstream_stats_storage{{{server}}}": store["stats"]["storage"],
        f"nats_varz_jetstream_config_max_storage{{{server}}}": store["config"]["max_storage"],
        f"nats_varz_jetstream_stats_reserved_storage{{{server}}}": store["stats"][
            "reserved_storage"
        ],
        f"nats_server_total_streams{{{leader}}}": jsz["streams"],
    }


@asynccontextmanager
async def exporting(monitors: Sequence[Callable[[], str]]) -> AsyncIterator[list[str]]:
    """A port a broker, where its series are; ``monitors`` say where each broker's own port is."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with AsyncExitStack() as closing:
        http = await closing.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        targets = []
        for monitor in monitors:
            runner = web.AppRunner(_application(http, monitor), access_log=None)
            await runner.setup()
            closing.push_async_callback(runner.cleanup)
            port = free_port()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            targets.append(f"127.0.0.1:{port}")
        yield targets


def _application(http: aiohttp.ClientSession, monitor: Callable[[], str]) -> web.Application:
    async def read(path: str) -> Any:
        async with http.get(f"{monitor()}{path}") as response:
            return await response.json()

    async def metrics(_request: web.Request) -> web.Response:
        try:
            series = exported(await read("/varz"), await read("/jsz"))
        except (aiohttp.ClientError, TimeoutError):
            # As the exporter does for a broker that does not answer.
            series = {}
        return web.Response(text="".join(f"{name} {value}\n" for name, value in series.items()))

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    return application
