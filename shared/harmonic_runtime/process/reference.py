"""What a service can be set to, and what it is set to: the reference page, and ``check``.

Both are made from the declarations of :class:`ServiceSettings` and the classes derived from it.
"""

from collections.abc import Collection, Iterator

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from harmonic_runtime.process.settings import ServiceSettings, is_secret, variable

#: What stands for a secret that is set.
MASK = "***"


def describe_in_force(settings: ServiceSettings) -> str:
    """A line for each variable: its value, masked if it is a secret, and where it is from."""
    lines = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        is_set = name in settings.model_fields_set
        origin = "set" if is_set else "default"
        lines.append(f"{variable(name)}={_shown(value, field)}  # {origin}\n")
    return "".join(lines)


def _shown(value: object, field: FieldInfo) -> str:
    if value is None:
        return ""
    return MASK if is_secret(field) or isinstance(value, SecretStr) else str(value)


def variables_of(*services: type[ServiceSettings]) -> list[str]:
    """The variables of these services, each once, in order; a secret's file is one of its own."""
    names = {name for service in services for name in _variables(service)}
    return sorted(names)


def _variables(service: type[ServiceSettings]) -> Iterator[str]:
    for name, field in service.model_fields.items():
        yield variable(name)
        if is_secret(field):
            yield file_variable(name)


def file_variable(field: str) -> str:
    """The variable that names a file with a secret."""
    return f"{variable(field)}_FILE"


def describe_settings(cls: type[ServiceSettings], *, without: Collection[str] = frozenset()) -> str:
    """The reference of a service's settings: a Markdown table, ``without`` some fields."""
    rows = ["| Variable | Default | Unit and bounds | What it is |", "|---|---|---|---|"]
    for name, field in cls.model_fields.items():
        if name not in without:
            what = f"{field.description or ''}{' (secret)' if is_secret(field) else ''}"
            cells = (_default(field), _bounds(name, field), what)
            rows.append(" | ".join((f"| `{variable(name)}`", *map(_escaped, cells))) + " |")
    return "\n".join(rows) + "\n"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "made at the start"
    if field.default is PydanticUndefined:
        return "**required**"
    return "none" if field.default is None else f"`{field.default}`"


_UNITS = {"_s": "seconds", "_ms": "milliseconds", "_bytes": "bytes", "_seconds": "seconds"}
_BOUNDS = (
    ("gt", "above {}"),
    ("ge", "at least {}"),
    ("lt", "below {}"),
    ("le", "at most {}"),
    ("min_length", "at least {} characters"),
    ("max_length", "at most {} characters"),
    ("pattern", "matches `{}`"),
)


def _bounds(name: str, field: FieldInfo) -> str:
    parts = [unit for suffix, unit in _UNITS.items() if name.endswith(suffix)]
    choices = getattr(field.annotation, "__args__", ())
    if choices and not any(isinstance(choice, type) for choice in choices):
        parts.append(" or ".join(f"`{choice}`" for choice in choices))
    for limit in field.metadata:
        for attribute, wording in _BOUNDS:
            bound = getattr(limit, attribute, None)
            if bound is not None:
                parts.append(wording.format(bound))
    return ", ".join(parts)
