"""What the sockets rely on inside python-engineio: an upgrade that changes it fails here.

``harmonic_gateway/sockets/server.py`` and ``engine.py`` are to be read again then.
"""

import inspect
from importlib.metadata import version

import engineio
from engineio import exceptions, packet

RELIED_UPON = """
    _handle_connect _bad_request _make_response _get_socket
    _cors_allowed_origins _cors_headers handle_request disconnect generate_id
"""


def test_the_versions_are_those_that_were_read() -> None:
    assert (version("python-engineio"), version("python-socketio")) == ("4.15.1", "5.18.1")


def test_the_servers_methods_are_there_with_their_parameters() -> None:
    for name in RELIED_UPON.split():
        assert callable(getattr(engineio.AsyncServer, name)), name
    parameters = list(inspect.signature(engineio.AsyncServer._handle_connect).parameters)
    assert parameters == ["self", "environ", "transport", "jsonp_index"]


def test_a_socket_is_only_asked_for_what_ours_has() -> None:
    source = inspect.getsource(engineio.AsyncServer.handle_request)
    used = {
        word.partition("socket.")[2].partition("(")[0].strip(" :")
        for word in source.split()
        if word.startswith("socket.")
    }
    assert used == {"connected", "upgraded", "handle_get_request", "handle_post_request"}


def test_only_engineio_errors_are_answered_as_bad_requests() -> None:
    assert issubclass(exceptions.ContentTooLongError, exceptions.EngineIOError)
    names = ["OPEN", "CLOSE", "PING", "PONG", "MESSAGE", "UPGRADE", "NOOP"]
    assert [getattr(packet, name) for name in names] == list(range(7))
