"""The commands that wait on a connection: in order, so many and so many bytes at most."""

from pydantic import SecretStr

from harmonic_gateway.commands.mailbox import Mailbox, MailboxLimits, Queued
from harmonic_gateway.limits.allowances import Allowance
from harmonic_gateway.settings import GatewaySettings
from harmonic_protocol.envelope import NO_TRACE
from harmonic_protocol.refusals import Code, Refused
from harmonic_runtime.observability.tracing import NoTracer

FLOOD = Allowance(7)
LIMITS = MailboxLimits(commands=3, bytes=100, time_s=5.0, flood=FLOOD)
UNREADABLE = Refused(code=Code.INVALID_PARAMETERS, message="no")


def queued(name: str, size_bytes: int = 1) -> Queued:
    span = NoTracer().begin(name)
    return Queued(name, UNREADABLE, 60.0, None, size_bytes, None, None, 0.0, NO_TRACE, span)


def test_commands_are_taken_in_their_order_until_none_waits() -> None:
    mailbox = Mailbox()
    first, second = queued("first"), queued("second")
    assert not mailbox
    assert mailbox.put(first, LIMITS)
    assert mailbox.put(second, LIMITS)
    assert mailbox
    assert mailbox.take() is first
    assert mailbox.take() is second
    assert not mailbox
    assert mailbox.take() is None


def test_so_many_commands_wait_and_no_more() -> None:
    mailbox = Mailbox()
    assert [mailbox.put(queued("a"), LIMITS) for _ in range(5)] == [True] * 3 + [False] * 2
    mailbox.take()
    assert [mailbox.put(queued("b"), LIMITS) for _ in range(2)] == [True, False]


def test_so_many_bytes_wait_and_a_command_that_is_taken_makes_room_for_its_own() -> None:
    mailbox = Mailbox()
    assert mailbox.put(queued("a", 60), LIMITS)
    assert not mailbox.put(queued("b", 41), LIMITS)
    # What was refused takes no room.
    assert mailbox.put(queued("c", 40), LIMITS)
    mailbox.take()
    assert not mailbox.put(queued("d", 61), LIMITS)
    assert mailbox.put(queued("e", 60), LIMITS)


def test_a_mailbox_that_was_cleared_is_empty_and_has_all_its_room_again() -> None:
    mailbox = Mailbox()
    mailbox.put(queued("a", 100), LIMITS)
    mailbox.clear()
    assert not mailbox
    assert mailbox.put(queued("b", 100), LIMITS)
    assert not mailbox.put(queued("c", 1), LIMITS)


def test_the_limits_are_those_of_the_settings() -> None:
    settings = GatewaySettings(
        jwt_secret=SecretStr("no token is verified here"),
        queued_commands=4,
        queued_bytes=9000,
        request_timeout_s=7,
    )
    assert MailboxLimits.configured(settings, FLOOD) == MailboxLimits(4, 9000, 7.0, FLOOD)
