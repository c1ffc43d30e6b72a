"""When certificates end, read from their files."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harmonic_runtime.process.certificates import shown_until, trusted_until
from harness.certificates import Authority

#: To the second, as certificates have it.
SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)


def test_of_a_chain_the_first_certificate_counts(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("127.0.0.1", ends=SOON)
    chain = issued.cert_file.read_text() + authority.ca_file.read_text()
    issued.cert_file.write_text(chain)
    assert shown_until(issued.cert_file) == SOON.timestamp()


def test_one_that_has_ended_is_read_all_the_same(tmp_path: Path) -> None:
    ended = SOON - timedelta(days=5)
    issued = Authority(tmp_path).issue("127.0.0.1", ends=ended)
    assert shown_until(issued.cert_file) == ended.timestamp()


def test_of_authorities_the_one_that_ends_last_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = Authority(tmp_path / "new")
    monkeypatch.setattr("trustme.DEFAULT_EXPIRY", SOON)
    old = Authority(tmp_path / "old")
    until = [trusted_until(each.ca_file) for each in (old, new)]
    both = tmp_path / "both.pem"
    both.write_text(new.ca_file.read_text() + old.ca_file.read_text())
    assert until[0] == SOON.timestamp() < until[1]
    assert trusted_until(both) == until[1]


def test_a_certificate_that_is_trusted_for_itself_counts(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("127.0.0.1", ends=SOON)
    assert trusted_until(issued.cert_file) == SOON.timestamp()


def test_a_file_without_a_certificate_is_an_error(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    for read in (shown_until, trusted_until):
        with pytest.raises((OSError, ValueError)):
            read(empty)
