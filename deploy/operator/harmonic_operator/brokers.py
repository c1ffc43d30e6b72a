"""Problems of brokers, from their greetings, certificates and disks. Pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from harmonic_operator.monitoring import BrokerStore
from harmonic_operator.output import size
from harmonic_runtime.bus.greeting import BrokerGreeting


def of_brokers(
    found: Iterable[BrokerGreeting], *, at: datetime, renewed_until: datetime
) -> Iterator[str]:
    """Brokers that do not answer, and those whose certificate has ended, or will soon."""
    for each in found:
        if each.problem is not None:
            yield f"The broker at {each.address} cannot be used: {each.problem}."
        elif each.ends_s is not None and each.ends_s <= renewed_until.timestamp():
            yield (
                f"The broker {each.name} at {each.address} shows a certificate that"
                f" {when(each.ends_s, at)}."
            )


def when(ends_s: float, at: datetime) -> str:
    """Whether something ended or ends, and on which day, in words."""
    verb = "ended" if ends_s <= at.timestamp() else "ends"
    return f"{verb} on {datetime.fromtimestamp(ends_s, UTC):%Y-%m-%d %H:%M} UTC"


def of_disks(stores: Iterable[BrokerStore]) -> Iterator[str]:
    """Brokers that may store less than their streams reserve."""
    for each in stores:
        if each.problem is not None:
            yield f"The broker's monitoring port {each.name} does not tell: {each.problem}."
        elif each.reserved_bytes > each.max_bytes:
            yield (
                f"The streams of broker {each.name} reserve {size(each.reserved_bytes)}, and it may"
                f" store {size(each.max_bytes)} (max_file_store): it is full before they are, and"
                " they cannot be restored to it."
            )


def without_room(stores: Iterable[BrokerStore], wanted_bytes: int) -> Iterator[str]:
    """Brokers without space for streams that reserve this much, while none is stored yet."""
    for each in stores:
        left_bytes = each.max_bytes - each.reserved_bytes
        if each.problem is None and left_bytes < wanted_bytes:
            yield (
                f"the broker {each.name} has {size(max(left_bytes, 0))} for them, of"
                f" {size(each.max_bytes)} (max_file_store)"
            )
