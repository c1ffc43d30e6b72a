"""How a stream is set up: how that differs from what is wanted, and by which version. Pure."""

from collections.abc import Mapping
from typing import Any, TypeAlias

#: What a stream was set to, and is set to now.
Change: TypeAlias = tuple[object, object]

_METADATA = "metadata"
#: Where a stream keeps the version of the layout that it was set up for.
_VERSION = "harmonic_layout"


def versioned(config: Mapping[str, object], version: int) -> dict[str, object]:
    """What a stream is to be set to by a version."""
    return {**config, _METADATA: {**_metadata(config), _VERSION: str(version)}}


def changes(found: Mapping[str, Any], wanted: Mapping[str, object]) -> dict[str, Change]:
    """Where a stream is not as it is wanted; what is not set has the broker's default."""
    changed: dict[str, Change] = {
        name: (found.get(name), value)
        for name, value in wanted.items()
        if name != _METADATA and found.get(name) != value
    }
    # The broker adds metadata of its own, and so does each version.
    known, said = _metadata(found), _metadata(wanted)
    if any(known.get(name) != value for name, value in said.items()):
        changed[_METADATA] = {name: known.get(name) for name in said}, said
    return changed


def version_of(info: Mapping[str, Any]) -> int:
    """The version that set a stream up; 0 for one that did not say so."""
    return int(_metadata(info["config"]).get(_VERSION, "0"))


def _metadata(config: Mapping[str, Any]) -> Mapping[str, str]:
    return config.get(_METADATA) or {}
