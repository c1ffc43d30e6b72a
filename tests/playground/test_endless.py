"""The endless piece in the playground, in a real browser."""

from playground.conftest import Run


async def test_two_windows_far_away_play_the_same_bars_once_each(use: Run) -> None:
    await use("bars.mts")


async def test_who_comes_late_or_returns_hears_it_and_everybody_sees_who_moved_what(
    use: Run,
) -> None:
    await use("endless.mts")
