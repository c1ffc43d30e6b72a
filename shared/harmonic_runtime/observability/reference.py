"""The reference of metrics, made from their declarations."""

from collections.abc import Iterable

from harmonic_runtime.observability.specs import HistogramSpec, MetricSpec

#: A label with more values than this is described by their number and the first ones.
SHOWN_VALUES = 12


def describe_metrics(specs: Iterable[MetricSpec]) -> str:
    """A Markdown table: a row for each metric, in the order of their declaration."""
    rows = [
        "| Metric | Type | Labels | What it is | Question |",
        "|---|---|---|---|---|",
    ]
    for spec in specs:
        cells = (_kind(spec), _labels(spec), spec.help, spec.question.value)
        rows.append(" | ".join((f"| `{spec.full_name}`", *map(_escaped, cells))) + " |")
    return "\n".join(rows) + "\n"


def _kind(spec: MetricSpec) -> str:
    if isinstance(spec, HistogramSpec):
        return f"{spec.kind}: {', '.join(f'{bound:g}' for bound in spec.buckets)}"
    return spec.kind


def _labels(spec: MetricSpec) -> str:
    return "<br>".join(f"`{name}`{_values(spec, name)}" for name in spec.labels.names)


def _values(spec: MetricSpec, name: str) -> str:
    values = [f"`{value}`" for value in spec.labels.values_of(name)]
    if not values:
        return ": of the build"
    if len(values) > SHOWN_VALUES:
        return f": {', '.join(values[:SHOWN_VALUES])}, … ({len(values)})"
    return f": {', '.join(values)}"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")
