"""``python -m harmonic_operator``: the same as ``harmonic``."""

from harmonic_operator.cli import app


def main() -> None:
    """Run one command, and end with its exit status."""
    app(prog_name="harmonic")


if __name__ == "__main__":
    main()
