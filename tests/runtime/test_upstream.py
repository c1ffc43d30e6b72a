"""The private parts of nats-py that ``harmonic_runtime/bus/connection.py`` stands on.

Whoever upgrades nats-py and sees one of these fail compares the part that is named with
what that module makes of it, mends the module if need be, and then the expectation here.
"""

import asyncio
import hashlib
import inspect
import re
import textwrap
from collections.abc import Callable

import pytest
from nats.aio.client import Client
from nats.aio.transport import TcpTransport
from nats.protocol.parser import Parser

from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.connection import BrokerConnection, Interest

#: What is replaced, and what calls it or relies on what it did: a digest of the source.
PARTS: dict[Callable[..., object], str] = {
    Client._attempt_reconnect: "5f8a089d9cce",
    Client._close: "9133ccecefaf",
    Client._connect_to_server: "a4e0a3101520",
    Client._flush_pending: "ba128e40ee86",
    Client._ping_interval: "2538261ad6c3",
    Client._process_connect_init: "dfbe216eea30",
    Client._process_info: "ddba6eba1c8d",
    Client._process_op_err: "e49aac5ffa4d",
    Client._process_pong: "ae844c61a9c0",
    Client._read_loop: "24cc1f010038",
    Client._send_command: "1edb603fdb69",
    Client._send_ping: "64cda5619afb",
    Client.drain: "21f3c76804a4",
    Client.flush: "ce4e77e1af26",
    Parser.__init__: "b58f17b70134",
    Parser.parse: "f7e0531def46",
    Parser.reset: "e4c12e2ceaf3",
    TcpTransport.connect: "2a1a2b0b43c1",
    TcpTransport.connect_tls: "6d7b59b07f86",
    TcpTransport.write: "db8d04cbf942",
}


def digest(part: Callable[..., object]) -> str:
    words = textwrap.dedent(inspect.getsource(part)).split()
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:12]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__qualname__)
def test_a_part_of_nats_py_is_as_it_was(part: Callable[..., object]) -> None:
    assert digest(part) == PARTS[part], (
        f"{part.__qualname__} of nats-py has changed: compare it with"
        " harmonic_runtime/bus/connection.py"
    )


def test_no_more_of_the_client_is_replaced_than_is_compared_here() -> None:
    replaced = {
        name
        for name, part in vars(BrokerConnection).items()
        if callable(part) and name in vars(Client)
    }
    replaced.remove("__init__")
    assert {f"Client.{name}" for name in replaced} <= {part.__qualname__ for part in PARTS}


def test_the_client_has_the_state_that_is_used(bus: Bus) -> None:
    state = vars(Client())
    kinds = {
        "_subs": dict,
        "_ps": Parser,
        "_pongs": list,
        "_pings_outstanding": int,
        "_pongs_received": int,
        "_pending_data_size": int,
    }
    assert {name: type(state[name]) for name in kinds} == kinds
    assert isinstance(vars(bus.connection)["_transport"], TcpTransport)
    assert bus.connection.outgoing.waiting_bytes == 0


def test_an_interest_has_what_is_looked_at_of_a_subscription() -> None:
    interest = Interest(1, "any", "", lambda _message: None)
    looked_at = {
        name
        for part in (Client._attempt_reconnect, Client._close, Client.drain)
        for name in re.findall(r"\bsub\.(\w+)", inspect.getsource(part))
    }
    # How many messages were received matters only where their number is limited.
    assert interest._max_msgs == 0
    assert {name for name in looked_at if not hasattr(interest, name)} == {"_received"}


async def test_messages_are_parsed_by_the_turn_of_the_loop_that_reads_them(bus: Bus) -> None:
    """What was put in place of the reader's method is still called for what is read."""
    reader = vars(bus.connection)["_transport"]._io_reader
    heard = asyncio.Event()
    subscription = await bus.subscribe("read.directly", lambda _message: heard.set())
    await bus.flush()
    # The answer to the flush is no message: reading goes on directly once that is parsed.
    assert "feed_data" in vars(reader)
    waker = reader._waiter
    await bus.publish("read.directly", b"here")
    await heard.wait()
    assert reader._waiter is waker
    assert not waker.done()
    await subscription.close()


async def test_what_follows_another_line_is_handled_in_its_order(bus: Bus) -> None:
    heard: list[str] = []
    reader = vars(bus.connection)["_transport"]._io_reader
    subscription = await bus.subscribe("after.>", lambda each: heard.append(each.subject))
    await bus.flush()
    sid = subscription.sid
    lines = [f"MSG after.{number} {sid} 0\r\n\r\n".encode() for number in range(4)]
    # A ping between them leaves the direct way, and all that follows it waits its turn.
    reader.feed_data(lines[0] + b"PING\r\n" + lines[1] + lines[2][:9])
    reader.feed_data(lines[2][9:] + lines[3])
    assert heard == ["after.0"]
    await bus.flush()
    await bus.handled()
    assert heard == [f"after.{number}" for number in range(4)]
    assert "feed_data" in vars(reader)
    await subscription.close()
