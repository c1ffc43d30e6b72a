"""Whose a session id is."""

import pytest

from harmonic_gateway.peers.whose import giver


@pytest.mark.parametrize(
    ("sid", "gateway_id"),
    [
        ("g1.Process_1-x.secret", "Process_1-x"),
        (f"{'g' * 32}.{'p' * 64}.{'s' * 64}", "p" * 64),
        # Ids that no gateway gives out.
        (f"{'g' * 33}.p.s", None),
        (f"g.{'p' * 65}.s", None),
        (f"g.p.{'s' * 65}", None),
        ("G1.process.secret", None),
        ("g1.process", None),
        ("g1.process.secret.more", None),
        ("g1.process.secret\n", None),
        ("g1.pro cess.secret", None),
        ("", None),
    ],
)
def test_a_session_id_names_the_process_that_gave_it_out(sid: str, gateway_id: str | None) -> None:
    assert giver(sid) == gateway_id
