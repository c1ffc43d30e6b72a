"""The chart's README lists the values that have a comment, by their paths."""

from harmonic_local.chart_readme import CHART, readme, rows

VALUES = """\
# About the file.

# -- Copies.
copies: 3

image:
  # -- Where from.
  registry: ""
  plain: 1
  deep:
    # -- Whether | it is.
    on: true
# -- All of these.
settings:
  one: 1
"""


def test_values_with_a_comment_are_listed_by_path_and_default() -> None:
    assert list(rows(VALUES)) == [
        ("copies", "3", "Copies."),
        ("image.registry", '""', "Where from."),
        ("image.deep.on", "true", "Whether | it is."),
        ("settings", "", "All of these."),
    ]


def test_the_page_is_a_table_that_a_bar_does_not_break() -> None:
    page = readme(VALUES)

    assert "| `image.deep.on` | `true` | Whether \\| it is. |\n" in page
    assert "| `settings` | see `values.yaml` | All of these. |\n" in page


def test_each_top_level_value_of_the_chart_is_on_its_page() -> None:
    values = (CHART / "values.yaml").read_text()
    paths = {path.partition(".")[0] for path, _default, _said in rows(values)}
    tops = {line.partition(":")[0] for line in values.splitlines() if line[:1].isalpha()}

    assert tops <= paths
