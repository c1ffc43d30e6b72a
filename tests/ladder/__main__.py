"""``python -m ladder [RUNG…]``: climb the ladder, or some of its rungs; 0 only if all are held."""

import sys

from ladder import backup, policy, rolling, templates, tools
from ladder.rungs import Rung

RUNGS = (
    Rung(1, "templates", templates.check),
    Rung(2, "policy", policy.check),
    Rung(7, "rolling", rolling.check),
    Rung(8, "backup", backup.check),
)
HEIGHT = 8


def main(chosen: list[int]) -> int:
    """Run the rungs, and print what each comes to; the exit status."""
    tools.install()
    wanted = [rung for rung in RUNGS if not chosen or rung.number in chosen]
    held = 0
    for rung in wanted:
        found = rung.run()
        held += found.state == "held"
        print(f"{rung.number} {rung.name}: {found.state}")
        for line in found.lines():
            print(f"    {line}")
    height = len(chosen) if chosen else HEIGHT
    print(f"ladder {held}/{height}")
    return 0 if held == height else 1


if __name__ == "__main__":
    sys.exit(main([int(number) for number in sys.argv[1:]]))
