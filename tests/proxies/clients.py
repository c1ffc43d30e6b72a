"""Official clients as the guide has them: default options, and a token."""

import socketio

from harness.javascript import JavascriptClient

WAIT_S = 10
#: The guide's own snippet: default options, a token in the query.
SNIPPET = """
const opened = io('{url}/ws', {{ query: {{ token: '{token}' }}, forceNew: true }});
await new Promise((resolve, reject) => {{
  opened.on('connect', resolve);
  opened.on('connect_error', reject);
}});
if (opened.io.engine.transport.name !== 'websocket') {{
  await new Promise(resolve => opened.io.engine.once('upgrade', resolve));
}}
const name = opened.io.engine.transport.name;
opened.disconnect();
return name;
"""


async def javascript_connects(client: JavascriptClient, url: str, token: str) -> bool:
    """Connect and leave; whether it went over to a WebSocket."""
    transport: str = await client.runs(SNIPPET.format(url=url, token=token))
    return transport == "websocket"


async def python_connects(url: str, token: str) -> bool:
    """Connect and leave; whether it went over to a WebSocket."""
    client = socketio.AsyncClient(reconnection=False)
    await client.connect(url, namespaces=["/ws"], auth={"token": token}, wait_timeout=WAIT_S)
    is_over: bool = client.transport() == "websocket"
    await client.disconnect()
    return is_over
