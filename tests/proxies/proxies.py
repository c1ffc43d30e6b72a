"""The proxies' configurations as they are shipped, run in front of a product of the tests."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from harmonic_local.processes import Managed, free_port
from harmonic_local.stack import Stack

SHIPPED = Path(__file__).parents[2] / "deploy" / "proxies"
#: What the shipped files say of where the proxy and the gateways are.
_LISTENING = re.compile(r":8080\b|\b8080\b")
_GATEWAYS = ("127.0.0.1:8000", "127.0.0.1:8001")


@dataclass(frozen=True)
class Proxy:
    """A kind of proxy: its program and its configuration."""

    name: str
    file: str

    @property
    def program(self) -> str | None:
        """Where it is installed, if it is. Debian's are outside of everybody's path."""
        return shutil.which(self.name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")

    def command(self, config: Path, folder: Path) -> Sequence[str]:
        """How to run it in the foreground, with its own files in ``folder``."""
        program = str(self.program)
        if self.name == "haproxy":
            return [program, "-V", "-db", "-f", str(config)]
        options = f"daemon off; pid {folder}/nginx.pid; error_log stderr notice;"
        return [program, "-p", str(folder), "-c", str(config), "-g", options]


HAPROXY, NGINX = Proxy("haproxy", "haproxy.cfg"), Proxy("nginx", "nginx.conf")


def configuration(proxy: Proxy, port: int, gateway_ports: Sequence[int]) -> str:
    """The shipped configuration, with the ports of this test in place of its own."""
    text = _LISTENING.sub(lambda found: found[0].replace("8080", str(port)), _text(proxy))
    for shipped, gateway_port in zip(_GATEWAYS, gateway_ports, strict=True):
        assert shipped in text
        text = text.replace(shipped, f"127.0.0.1:{gateway_port}")
    return text


def plain_configuration(proxy: Proxy, port: int, gateway_ports: Sequence[int]) -> str:
    """The shipped configuration without what routes by session id, for any number of gateways."""
    text = _LISTENING.sub(lambda found: found[0].replace("8080", str(port)), _text(proxy))
    if proxy is HAPROXY:
        text = re.sub(r"^ +(use-server|server) .*\n", "", text, flags=re.MULTILINE)
        return text + "".join(
            f"    server gateway-{n} 127.0.0.1:{at}\n"
            for n, at in enumerate(gateway_ports, start=1)
        )
    text = re.sub(r"    # The value is a group.*?\n    }\n", "", text, flags=re.DOTALL)
    text = re.sub(r"^ +upstream gateway_.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^ +server 127.*\n", "", text, flags=re.MULTILINE)
    servers = "".join(f"        server 127.0.0.1:{at} max_fails=0;\n" for at in gateway_ports)
    text = text.replace("upstream gateways {\n", f"upstream gateways {{\n{servers}")
    # A request that one gateway does not take may go to each of the others.
    text = text.replace("upstream_tries 2;", f"upstream_tries {len(gateway_ports)};")
    return text.replace("http://$group", "http://gateways")


def _text(proxy: Proxy) -> str:
    return (SHIPPED / proxy.file).read_text()


@asynccontextmanager
async def in_front_of(
    stack: Stack, proxy: Proxy, folder: Path, *, plain: bool = False, only: int | None = None
) -> AsyncIterator[int]:
    """The proxy in front of a running product; the block is given its port.

    A ``plain`` one sends every request to the next gateway, or to the ``only`` one that it has.
    """
    ports = stack.gateway_ports if only is None else [stack.gateway_ports[only]]
    port = free_port()
    config = folder / proxy.file
    written = plain_configuration if plain else configuration
    config.write_text(written(proxy, port, ports))
    process = Managed(
        name=proxy.name,
        command=proxy.command(config, folder),
        environment={},
        output=lambda _name, _line: None,
        sign=lambda line: "worker" in line or "polling mechanism" in line,
    )
    await process.start()
    try:
        await _answers(port)
        yield port
    finally:
        await process.stop()


async def _answers(port: int) -> None:
    """Return once the proxy has found a gateway ready."""
    async with asyncio.timeout(20):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                answer = await reader.read()
                writer.close()
            except ConnectionError:
                answer = b""
            if b" 200 " in answer.partition(b"\r\n")[0]:
                return
            # Nothing tells when its first check has succeeded.
            await asyncio.sleep(0.1)
