"""A universe as an owner has it in memory, and what is stored of it besides its log."""

from harmonic_protocol.value import value
from harmonic_state.domain.universe import Universe


@value
class Coverage:
    """What is stored of a universe besides its log.

    ``sequence`` is the latest snapshot's sequence in the snapshots' stream, 0 if there is none.
    ``marks`` are the log positions of the latest snapshots, oldest first.
    """

    sequence: int = 0
    marks: tuple[int, ...] = ()


@value
class Loaded:
    """A universe at a position of its log; ``None`` at position 0, before its creation.

    ``record_id`` is the id of the record there, empty if it is not known. ``is_damaged`` says that
    the log has lost records, and does not say so yet. ``ends_in_loss`` says that the record there
    is the one that does.
    """

    universe: Universe | None
    position: int
    coverage: Coverage = Coverage()
    record_id: str = ""
    is_damaged: bool = False
    ends_in_loss: bool = False

    @property
    def seq(self) -> int:
        """The number of the universe's last frame; 0 before its creation."""
        return self.universe.seq if self.universe is not None else 0

    def then(
        self,
        universe: Universe | None,
        position: int,
        record_id: str = "",
        *,
        ends_in_loss: bool = False,
    ) -> "Loaded":
        """The universe at a later position."""
        return Loaded(universe, position, self.coverage, record_id, ends_in_loss=ends_in_loss)
