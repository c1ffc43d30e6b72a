"""The last release, built once."""

import pytest

from harness.released import NotInClone, Release, is_shallow, last_release


@pytest.fixture(scope="session")
def release() -> Release:
    found = last_release()
    try:
        found.build()
    except NotInClone as error:
        # A clone that has its history and lacks the commit names a release that never was.
        if is_shallow():
            pytest.skip(str(error))
        raise
    return found
