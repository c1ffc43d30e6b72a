"""Frames: the bytes that all members of a room are sent."""

import pytest

from harmonic_gateway.sockets.frames import Encoded, Frame, broadcast, close_frame


def unframed(raw: bytes) -> list[str | bytes]:
    """WebSocket frames read as RFC 6455 says."""
    packets: list[str | bytes] = []
    while raw:
        opcode, length = raw[0] & 0x0F, raw[1]
        assert raw[0] & 0x80
        assert length < 128
        head = {126: 4, 127: 10}.get(length, 2)
        size = int.from_bytes(raw[2:head]) if head > 2 else length
        payload, raw = raw[head : head + size], raw[head + size :]
        packets.append(payload.decode() if opcode == 1 else payload)
    return packets


@pytest.mark.parametrize("size", [0, 1, 100, 125, 126, 65535, 65536, 200_000])
def test_any_size_is_framed(size: int) -> None:
    frame = Frame.event("e", b'"' + b"x" * size + b'"')
    expected = '42/ws,["e","' + "x" * size + '"]'
    encoded = frame.encoded("/ws")
    assert unframed(encoded.raw) == [expected] == list(encoded.packets)


def test_namespaces_differ_in_their_head_only_and_are_encoded_once() -> None:
    frame = Frame.event("e", b"{}")
    assert list(frame.encoded("/").packets) == ['42["e",{}]']
    assert frame.encoded("/ws") is frame.encoded("/ws")


def test_attachments_follow_their_text() -> None:
    frame = Frame.binary("e", b'{"_placeholder":true,"num":0}', [b"\x00\xff"])
    expected = ['451-/ws,["e",{"_placeholder":true,"num":0}]', b"\x00\xff"]
    assert unframed(frame.encoded("/ws").raw) == expected


def test_a_broadcast_is_one_write_for_each_member_in_order() -> None:
    class Member:
        def __init__(self, namespace: str, elsewhere: str | None = None) -> None:
            self.namespace = namespace
            self.elsewhere: str | None = elsewhere
            self.written: list[Encoded] = []

        def write(self, encoded: Encoded) -> None:
            self.written.append(encoded)

    members = [Member("/ws"), Member("/"), Member("/ws")]
    frames = [Frame.event("a", b"1"), Frame.event("b", "\u00fc".encode().join([b'"'] * 2))]
    assert broadcast(frames, members) == 6
    assert members[0].written == members[2].written
    assert unframed(members[0].written[0].raw) == ['42/ws,["a",1]', '42/ws,["b","\u00fc"]']
    assert unframed(members[1].written[0].raw) == ['42["a",1]', '42["b","\u00fc"]']


def test_a_close_carries_its_code() -> None:
    assert close_frame(1012) == b"\x88\x02\x03\xf4"


def test_offsets_go_to_those_who_know_them_with_the_other_rooms_of_each() -> None:
    frame = Frame.event("e", b"{}", offset="a:1")
    assert list(frame.encoded("/ws").packets) == ['42/ws,["e",{}]']
    assert list(frame.encoded("/ws", "").packets) == ['42/ws,["e",{},"a:1"]']
    assert list(frame.encoded("/ws", ",b:2").packets) == ['42/ws,["e",{},"a:1,b:2"]']
    assert list(Frame.event("e", b"{}").encoded("/ws", "").packets) == ['42/ws,["e",{}]']
