"""What tests behind proxies share: each proxy in turn, and official clients."""

from collections.abc import AsyncIterator

import pytest

from harness.javascript import Bridge, javascript
from proxies.proxies import HAPROXY, NGINX, Proxy


@pytest.fixture(scope="module", params=[HAPROXY, NGINX], ids=lambda proxy: proxy.name)
def proxy(request: pytest.FixtureRequest) -> Proxy:
    found: Proxy = request.param
    if found.program is None:
        pytest.skip(f"{found.name} is not installed")
    return found


@pytest.fixture(scope="module")
async def bridge() -> AsyncIterator[Bridge]:
    async with javascript() as running:
        yield running
