"""What may happen to the files of a broker that does not run."""

import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from harmonic_local.stack import Stack


def stream_folder(stack: Stack, broker: int, stream: str) -> Path:
    """Where a broker keeps a stream."""
    data = stack.plan.data / "jetstream"
    own = data / str(broker + 1) if len(stack.brokers) > 1 else data
    (folder,) = own.glob(f"jetstream/*/streams/{stream}")
    return folder


def blocks(folder: Path) -> list[Path]:
    """The files that hold a stream's messages, oldest first."""
    return sorted(folder.glob("msgs/*.blk"), key=lambda path: int(path.stem))


def cut_end(folder: Path, chance: random.Random) -> None:
    """The last block ends at a random place."""
    _truncate(blocks(folder)[-1:], chance)


def cut_index(folder: Path, chance: random.Random) -> None:
    """The index ends at a random place."""
    _truncate(list(folder.glob("msgs/index.db")), chance)


def flip_bytes(folder: Path, chance: random.Random) -> None:
    """Some bytes of a block are others."""
    _flip(chance.sample(blocks(folder), min(1, len(blocks(folder)))), chance)


def flip_index(folder: Path, chance: random.Random) -> None:
    """Some bytes of the index are others."""
    _flip(list(folder.glob("msgs/index.db")), chance)


def lose_index(folder: Path, _: random.Random) -> None:
    """There is no index."""
    for index in folder.glob("msgs/index.db"):
        index.unlink()


def lose_block(folder: Path, chance: random.Random) -> None:
    """A block is not there, nor is the index that tells of it."""
    for block in chance.sample(blocks(folder), min(1, len(blocks(folder)))):
        block.unlink()
    lose_index(folder, chance)


def lose_all(folder: Path, _: random.Random) -> None:
    """No message is there."""
    shutil.rmtree(folder / "msgs")


Damage = Callable[[Path, random.Random], None]
#: The damages by their names.
DAMAGES: Mapping[str, Damage] = MappingProxyType(
    {
        damage.__name__: damage
        for damage in (
            *(cut_end, cut_index, flip_bytes, flip_index),
            *(lose_index, lose_block, lose_all),
        )
    }
)


def back_up(folder: Path, to: Path) -> None:
    """Copy a stream's folder."""
    shutil.copytree(folder, to / folder.name, dirs_exist_ok=True)


def restore(folder: Path, backup: Path) -> None:
    """Put a backup in a stream's place."""
    shutil.rmtree(folder)
    shutil.copytree(backup / folder.name, folder)


def _truncate(files: list[Path], chance: random.Random) -> None:
    for file in files:
        with file.open("r+b") as opened:
            opened.truncate(chance.randrange(max(1, file.stat().st_size)))


def _flip(files: list[Path], chance: random.Random) -> None:
    for file in files:
        content = bytearray(file.read_bytes())
        for _ in range(chance.randint(1, 4) if content else 0):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        file.write_bytes(content)
