"""What the sockets rely on inside other libraries: an upgrade that changes it fails here.

``harmonic_gateway/sockets/handshakes.py`` is to be read again when python-engineio does,
``packets.py`` when python-socketio does, and ``websocket.py`` when aiohttp does.
"""

import inspect
import re
from importlib.metadata import version

import engineio
from aiohttp import web
from aiohttp._websocket import reader_py
from aiohttp.http_writer import StreamWriter
from engineio import exceptions, packet


def test_the_versions_are_those_that_were_read() -> None:
    assert (version("python-engineio"), version("python-socketio")) == ("4.15.1", "5.18.1")


def test_a_handshake_is_read_from_what_is_kept_of_its_request() -> None:
    source = inspect.getsource(engineio.AsyncServer.handle_request)
    read = set(re.findall(r"environ(?:\.get\(|\[)'(\w+)'", source))
    # The last two matter where origins are looked at, and answers compressed.
    unused = {"HTTP_ORIGIN", "HTTP_ACCEPT_ENCODING"}
    assert read == {"REQUEST_METHOD", "QUERY_STRING", "HTTP_UPGRADE"} | unused
    assert "self._async['translate_request']" in source
    assert "if not isinstance(r, dict):\n            return r" in source
    parameters = list(inspect.signature(engineio.AsyncServer._handle_connect).parameters)
    assert parameters == ["self", "environ", "transport", "jsonp_index"]


def test_only_engineio_errors_are_answered_as_bad_requests() -> None:
    assert issubclass(exceptions.ContentTooLongError, exceptions.EngineIOError)
    names = ["OPEN", "CLOSE", "PING", "PONG", "MESSAGE", "UPGRADE", "NOOP"]
    assert [getattr(packet, name) for name in names] == list(range(7))


def test_aiohttps_version_is_the_one_that_was_read() -> None:
    assert version("aiohttp") == "3.14.5"


def test_aiohttp_prepares_a_websocket_as_it_is_done_here_without_its_own_compression() -> None:
    source = inspect.getsource(web.WebSocketResponse._post_start)
    assigned = {line.split(" = ")[0].strip() for line in source.splitlines() if " = " in line}
    assert assigned >= {"self._ws_protocol", "self._writer", "self._reader", "self._parser"}
    assert "set_parser(self._parser" in source
    assert "keep_alive(False)" in source
    parameters = list(inspect.signature(web.WebSocketResponse._post_start).parameters)
    assert parameters == ["self", "request", "protocol", "writer"]


def test_aiohttp_sends_the_head_of_an_answer_with_what_is_written_first() -> None:
    write_headers = inspect.getsource(web.StreamResponse._write_headers)
    assert "if self._send_headers_immediately:" in write_headers
    assert "self._send_headers_with_payload(chunk, False)" in inspect.getsource(StreamWriter.write)


def test_aiohttps_reader_makes_an_inflater_where_it_has_none() -> None:
    handle = reader_py.WebSocketReader._handle_frame
    assert list(inspect.signature(handle).parameters) == [
        "self",
        "fin",
        "opcode",
        "payload",
        "compressed",
    ]
    assert "if not self._decompressobj:" in inspect.getsource(handle)


def test_aiohttps_handler_shows_when_it_waits_for_a_request() -> None:
    handler = web.RequestHandler
    received = inspect.getsource(handler.data_received)
    assert "self._request_count += 1" in received
    assert "waiter.set_result(None)" in received
    start = inspect.getsource(handler.start)
    assert "self._waiter = loop.create_future()" in start
    assert "self._waiter = None" in start
    assert "self._waiter and not self._waiter.done()" in inspect.getsource(
        handler._process_keepalive
    )


def test_aiohttps_drain_waits_only_while_writing_is_paused() -> None:
    source = inspect.getsource(StreamWriter.drain)
    assert "protocol.transport is not None and protocol._paused" in source


def test_aiohttp_asks_an_answer_for_what_is_done_here_of_those_whose_head_is_kept() -> None:
    handler = web.RequestHandler
    finish = inspect.getsource(handler.finish_response)
    assert "prepare_meth = resp.prepare" in finish
    assert "await prepare_meth(request)\n            await resp.write_eof()" in finish
    assert "self._keepalive = bool(resp.keep_alive)" in inspect.getsource(handler.start)
    written = inspect.getsource(web.StreamResponse._write_headers)
    assert 'f"HTTP/{version[0]}.{version[1]} {self._status} {self._reason}"' in written


def test_aiohttps_handler_can_end_without_its_connection() -> None:
    handler = web.RequestHandler
    start = inspect.getsource(handler.start)
    assert "while not self._force_close:" in start
    assert "if self._keepalive and not self._close and not self._force_close:" in start
    assert "if not self._force_close:" in start.rpartition("# remove handler")[2]
    force_close = inspect.getsource(handler.force_close)
    assert "if self.transport is not None:" in force_close
    assert "add_done_callback" in inspect.getsource(web.Server.connection_lost)
    assert "await resp.write_eof()" in inspect.getsource(handler.finish_response)


def test_aiohttps_queue_asks_its_protocol_to_pause() -> None:
    queue = reader_py.WebSocketDataQueue
    feed = inspect.getsource(queue.feed_data)
    assert "self._protocol._reading_paused" in feed
    assert "self._protocol.pause_reading()" in feed
    assert "self._protocol.resume_reading()" in inspect.getsource(queue._read_from_buffer)
