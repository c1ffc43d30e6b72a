"""Typed arrays travel between JavaScript clients as they are."""

import struct

import pytest

from e2e.conftest import Visitors

VALUES = (0.0, -1.5, 3.25, float("inf"))


def analysis(universe: str, frequencies: str, waveform: str) -> str:
    return f"""
        socket.emit('audio_analysis', {{
          universeId: '{universe}',
          analysis: {{
            frequencies: {frequencies},
            waveform: {waveform},
            timestamp: '2024-03-21T10:30:00Z',
          }},
        }});
    """


async def test_typed_arrays_are_relayed_byte_for_byte(visitors: Visitors) -> None:
    ann, ben = await visitors.together()
    floats = "new Float32Array([0, -1.5, 3.25, Infinity])"
    await ann.runs(analysis(visitors.universe, floats, "new Uint8Array([0, 1, 128, 255])"))
    for client in (ann, ben):
        analyzed = (await client.hears("audio_analyzed"))["analysis"]
        assert analyzed["frequencies"] == {"hex": struct.pack("<4f", *VALUES).hex()}
        assert analyzed["waveform"] == {"hex": "000180ff"}


async def test_a_typed_array_and_numbers_go_together(visitors: Visitors) -> None:
    ann, ben = await visitors.together()
    await ann.runs(analysis(visitors.universe, "[-61.5, null]", "new Uint8Array([7])"))
    analyzed = (await ben.hears("audio_analyzed"))["analysis"]
    assert (analyzed["frequencies"], analyzed["waveform"]) == ([-61.5, None], {"hex": "07"})


@pytest.mark.parametrize("size", [8192, 8193])
async def test_a_typed_array_may_have_8_kib(visitors: Visitors, size: int) -> None:
    ann = await visitors.joins("ann")
    await ann.runs(analysis(visitors.universe, "[]", f"new Uint8Array({size})"))
    if size <= 8192:
        await ann.hears("audio_analyzed", userId="ann")
    else:
        assert (await ann.hears("error"))["code"] == "INVALID_PARAMETERS"
