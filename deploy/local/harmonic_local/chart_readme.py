"""The chart's README, made of the comments in its values."""

import re
from collections.abc import Iterator
from pathlib import Path

CHART = Path(__file__).resolve().parents[2] / "chart"
README = CHART / "README.md"
_KEY = re.compile(r"^( *)([A-Za-z0-9_$/.-]+):(?: (.*))?$")
_MARK = "# -- "
#: Longer values are read in values.yaml.
_MOST_CHARACTERS = 60
_HEAD = """# harmonic-universe

Real-time collaboration on universes, in three services around NATS. Made of the comments in
`values.yaml` by `make settings`. How to install it is said in
[Install on Kubernetes](../docs/install-on-kubernetes.md); files of values to begin with are in
`examples/`. `values.schema.json` refuses what is not known, but for values of the brokers' own
chart below `nats`.

| Value | Default | What it is |
|---|---|---|
"""


def rows(values: str) -> Iterator[tuple[str, str, str]]:
    """Each value with a comment: its path, its default as in the file, and the comment."""
    path: list[tuple[int, str]] = []
    said = ""
    for line in values.splitlines():
        stripped = line.strip()
        if stripped.startswith(_MARK):
            said = stripped.removeprefix(_MARK)
            continue
        key = _KEY.match(line)
        if key is None:
            continue
        depth = len(key[1])
        path = [(at, name) for at, name in path if at < depth] + [(depth, key[2])]
        if said:
            yield ".".join(name for _, name in path), key[3] or "", said
        said = ""


def readme(values: str) -> str:
    """The page."""
    lines = []
    for path, default, said in rows(values):
        shown = f"`{default}`" if 0 < len(default) <= _MOST_CHARACTERS else "see `values.yaml`"
        lines.append(f"| `{path}` | {shown} | {said.replace('|', chr(92) + '|')} |\n")
    return _HEAD + "".join(lines)
