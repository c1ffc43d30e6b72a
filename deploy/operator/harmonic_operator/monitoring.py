"""The brokers' disks as their monitoring ports report them, if the settings name these."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from harmonic_operator.settings import OperatorSettings

MONITOR_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class BrokerStore:
    """The bytes of a broker's disk that its streams may take, and those that they reserve.

    ``problem`` says why they are not known of the broker at a monitoring port, if so.
    """

    name: str
    max_bytes: int = 0
    reserved_bytes: int = 0
    problem: str | None = None


def read_broker_store(varz: Mapping[str, Any]) -> BrokerStore:
    """A broker's store from its ``/varz``; raise ``KeyError`` if it has none."""
    store = varz["jetstream"]
    return BrokerStore(
        str(varz["server_name"]),
        int(store["config"]["max_storage"]),
        int(store["stats"]["reserved_storage"]),
    )


async def broker_stores(settings: OperatorSettings) -> list[BrokerStore]:
    """The stores of the brokers whose monitoring ports the settings name."""
    timeout = aiohttp.ClientTimeout(total=MONITOR_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        asked = [_store(http, url) for url in (settings.nats_monitor_urls or "").split(",") if url]
        return list(await asyncio.gather(*asked))


async def _store(http: aiohttp.ClientSession, url: str) -> BrokerStore:
    url = url.strip().rstrip("/")
    try:
        async with http.get(f"{url}/varz") as response:
            response.raise_for_status()
            return read_broker_store(await response.json())
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return BrokerStore(url, problem=str(error) or type(error).__name__)
    except (KeyError, TypeError):
        return BrokerStore(url, problem="what answers there is no NATS server with JetStream")
