"""How much of what they missed the clients of one user may be owed."""

from dataclasses import dataclass

from harmonic_gateway.limits.debts import Debts, Verdict

MOST_BYTES, MOST_FRAMES = 1000, 10


@dataclass(eq=False)
class Client:
    closed: bool = False
    is_owed: bool = True

    def is_closed(self) -> bool:
        return self.closed


def debts() -> Debts:
    return Debts(MOST_BYTES, MOST_FRAMES)


def test_bytes_and_frames_of_all_of_a_users_clients_are_bounded() -> None:
    owed = debts()

    assert owed.owe("ann", Client(), 600, 4) is Verdict.OWED
    assert owed.owe("ann", Client(), 401, 1) is Verdict.LATER
    assert owed.owe("ann", Client(), 1, 7) is Verdict.LATER
    assert owed.owe("ann", Client(), 400, 6) is Verdict.OWED
    assert owed.size_bytes == 1000
    assert owed.owe("bob", Client(), 1000, 10) is Verdict.OWED


def test_what_is_too_much_for_any_client_is_never_owed() -> None:
    owed = debts()

    assert owed.owe("ann", Client(), MOST_BYTES + 1, 1) is Verdict.NEVER
    assert owed.owe("ann", Client(), 1, MOST_FRAMES + 1) is Verdict.NEVER
    client = Client()
    assert owed.owe("ann", client, 600, 1) is Verdict.OWED
    # A second room of the same client: it could not come later either.
    assert owed.owe("ann", client, 600, 1) is Verdict.NEVER


def test_it_heals_once_a_client_has_read_or_is_gone() -> None:
    owed = debts()
    reader, gone = Client(), Client()
    owed.owe("ann", reader, 500, 1)
    owed.owe("ann", gone, 500, 1)
    assert owed.owe("ann", Client(), 500, 1) is Verdict.LATER

    # Not before it was sent: nothing waits for a client that is still on its way in.
    reader.is_owed = False
    assert owed.owe("ann", Client(), 500, 1) is Verdict.LATER
    owed.sent("ann", reader)
    assert owed.owe("ann", Client(), 500, 1) is Verdict.OWED
    gone.closed = True
    assert owed.owe("ann", Client(), 500, 1) is Verdict.OWED


def test_what_a_client_is_owed_in_several_rooms_counts_together() -> None:
    owed, client = debts(), Client()
    assert owed.owe("ann", client, 300, 4) is Verdict.OWED
    assert owed.owe("ann", client, 300, 4) is Verdict.OWED
    assert owed.size_bytes == 600
    assert owed.owe("ann", Client(), 1, 3) is Verdict.LATER
    assert owed.owe("ann", Client(), 1, 2) is Verdict.OWED


def test_one_that_is_gone_leaves_what_the_others_of_its_user_are_owed() -> None:
    owed, gone = debts(), Client()
    owed.owe("ann", gone, 500, 1)
    owed.owe("ann", Client(), 300, 1)

    owed.forget("ann", gone)

    assert owed.size_bytes == 300


def test_nothing_is_kept_of_users_who_are_owed_nothing() -> None:
    owed, client = debts(), Client()
    owed.owe("ann", client, 500, 1)

    owed.forget("ann", client)
    owed.forget("ann", client)
    owed.sent("ann", client)

    assert owed.size_bytes == 0
    assert owed._of_users == {}
