"""What a rung of the ladder comes to."""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from ladder.programs import Program, why_absent

State = Literal["held", "failed", "skipped"]


@dataclass
class Findings:
    """What a rung found: counts of what was looked at, and what is wrong or was not to be had.

    ``notes`` are measurements that say nothing of whether it is held.
    """

    looked_at: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def count(self, what: str, number: int = 1) -> None:
        """Note that ``number`` more of something were looked at."""
        self.looked_at[what] = self.looked_at.get(what, 0) + number

    @property
    def state(self) -> State:
        """A rung with anything missing is not held: nobody looked."""
        if self.faults:
            return "failed"
        return "skipped" if self.missing else "held"

    @property
    def verdict(self) -> str:
        """The state; of a skipped rung, with what it lacks."""
        return f"skipped: {'; '.join(self.missing)}" if self.state == "skipped" else self.state

    def lines(self) -> Iterator[str]:
        """What was counted, then the notes, each fault and each missing thing."""
        if self.looked_at:
            yield ", ".join(f"{number} {what}" for what, number in self.looked_at.items())
        yield from self.notes
        yield from self.faults
        if self.state != "skipped":
            yield from self.missing


@dataclass(frozen=True)
class Rung:
    """One question, what answers it, and the programs without which it cannot be asked."""

    number: int
    name: str
    run: Callable[[], Findings]
    programs: tuple[Program, ...] = ()

    def climb(self) -> Findings:
        """Run it, unless a program is absent that it needs.

        One that breaks off has failed, and the others are still run.
        """
        missing = list(why_absent(self.programs))
        if missing:
            return Findings(missing=missing)
        try:
            return self.run()
        except Exception:  # noqa: BLE001 -- whatever it is, it is this rung's finding
            return Findings(faults=traceback.format_exc().splitlines())
