"""Memory that is freed and used again."""

import ctypes
import subprocess
import sys

import pytest

#: How many pages the kernel had to provide while blocks of 1 MiB were used one after the other.
_COUNT = """
import resource
from harmonic_runtime.process.allocation import keep_freed_memory
{keeps}
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5): bytearray(b"x" * 2**20)
before = faults()
for _ in range(100): bytearray(b"x" * 2**20)
print(faults() - before)
"""
PAGES_OF_A_BLOCK = 256


def page_faults(keeps: str) -> int:
    command = [sys.executable, "-c", _COUNT.format(keeps=keeps)]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is no glibc")
def test_large_blocks_are_used_again_without_the_kernel() -> None:
    assert page_faults("") > 100 * PAGES_OF_A_BLOCK
    assert page_faults("keep_freed_memory()") < 2 * PAGES_OF_A_BLOCK
