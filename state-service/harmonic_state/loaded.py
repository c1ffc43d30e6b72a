"""A universe as an owner has it in memory, and what of it is stored besides its log."""

from harmonic_protocol.value import value
from harmonic_state.domain.universe import Universe


@value
class Coverage:
    """What is stored of a universe besides its log.

    ``sequence`` is where the latest snapshot stands in its own stream, 0 if there is none;
    ``marks`` are the positions of the log of the latest snapshots, oldest first.
    """

    sequence: int = 0
    marks: tuple[int, ...] = ()


@value
class Loaded:
    """A universe as of a position of its log; ``None`` at position 0: there is none.

    ``record_id`` is that of the record there, empty if it is not known. ``is_damaged`` says that
    the log has lost records, and that nothing was stored since.
    """

    universe: Universe | None
    position: int
    coverage: Coverage = Coverage()
    record_id: str = ""
    is_damaged: bool = False

    def then(self, universe: Universe | None, position: int, record_id: str = "") -> "Loaded":
        """The same universe, later."""
        return Loaded(universe, position, self.coverage, record_id)
