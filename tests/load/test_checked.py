"""What voids a benchmark: an update that is lost, heard twice or out of order, or refused."""

import pytest

from load.checked import CheckedClient, CheckedRoom
from load.client import Failed


class Ears:
    """A client that is told packets, and what it made of them."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.acknowledged = 0
        self._client = CheckedClient("token", "u", self.heard.append, self._acknowledge)

    def packet(self, text: str) -> None:
        data = f"??{text}??".encode()
        self._client._packet(data, 2, len(data) - 2)

    def update(self, seq: int, gravity: float) -> None:
        event = f'{{"parameters":{{"gravity":{gravity},"friction":0.5}},"seq":{seq}}}'
        self.packet(f'42/ws,["physics_updated",{event},"an offset"]')

    def _acknowledge(self) -> None:
        self.acknowledged += 1


@pytest.fixture
async def ears() -> Ears:
    return Ears()


async def test_updates_are_known_by_their_gravity(ears: Ears) -> None:
    ears.update(7, 0.001)
    ears.update(8, 19.999)
    ears.update(9, 0)
    assert ears.heard == [1, 19_999, 0]


@pytest.mark.parametrize("seq", [7, 6, 9], ids=["twice", "out of order", "one lost"])
async def test_updates_come_once_and_in_order(ears: Ears, seq: int) -> None:
    ears.update(7, 0.001)
    with pytest.raises(Failed, match=f"heard {seq} after 7"):
        ears.update(seq, 0.002)


async def test_a_refused_update_is_no_update(ears: Ears) -> None:
    ears.packet('43/ws,1[{"ok":true,"seq":3}]')
    assert ears.acknowledged == 1
    with pytest.raises(Failed, match="refused"):
        ears.packet('43/ws,2[{"ok":false,"error":{}}]')


async def test_a_room_hears_what_was_said_in_it() -> None:
    room = CheckedRoom("u")
    room.member("token")
    with pytest.raises(Failed, match="more than was said"):
        room._heard(1)
