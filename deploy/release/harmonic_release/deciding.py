"""What a release needs to be one: pure decisions over what the repository says of itself."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

#: The heading of what no version has yet.
_UNRELEASED = "Unreleased"
_SECTION = re.compile(r"^## \[([^\]]+)\]", re.MULTILINE)


@dataclass(frozen=True)
class Last:
    """The release before: its version, and the commit it was built from."""

    version: str
    commit: str


@dataclass(frozen=True)
class Candidate:
    """What is to be released. ``versions`` are what each file says, by its path."""

    versions: Mapping[str, str]
    changelog: str
    last: Last
    contract_changed: bool
    clean: bool


def last(releases: str) -> Last:
    """The last entry of ``releases.toml``."""
    entry = tomllib.loads(releases)["release"][-1]
    return Last(entry["version"], entry["commit"])


def section(changelog: str, version: str) -> str | None:
    """What the change log says of a version, or nothing if it has no section of it."""
    headings = list(_SECTION.finditer(changelog))
    for heading, following in zip(headings, [*headings[1:], None], strict=False):
        if heading[1] == version:
            end = following.start() if following else len(changelog)
            return changelog[heading.start() : end].strip() + "\n"
    return None


#: What versions look like here: the chart and Python's packages order these alike.
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def is_version(text: str) -> bool:
    """Whether a text is a version as releases have them."""
    return _VERSION.fullmatch(text) is not None


def refusals(candidate: Candidate) -> list[str]:
    """Why this is no release, a sentence each; nothing if it is one."""
    reasons = []
    versions = set(candidate.versions.values())
    if len(versions) > 1:
        said = ", ".join(f"{path} {version}" for path, version in candidate.versions.items())
        reasons.append(f"The versions differ: {said}.")
    odd = [each for each in (*sorted(versions), candidate.last.version) if not is_version(each)]
    if odd:
        return [*reasons, *(f"{each} is no version such as 1.2.3." for each in odd)]
    version = min(versions, key=_ordered)
    newer = _ordered(version) > _ordered(candidate.last.version)
    if candidate.contract_changed and not newer:
        reasons.append(
            f"shared/contract changed since {candidate.last.version}, and the version is {version}."
        )
    elif not newer:
        reasons.append(f"{version} is not newer than the last release, {candidate.last.version}.")
    if section(candidate.changelog, version) is None:
        reasons.append(f"CHANGELOG.md has no section [{version}].")
    if (pending := section(candidate.changelog, _UNRELEASED)) and pending.count("\n") > 1:
        reasons.append(f"CHANGELOG.md has lines under [{_UNRELEASED}]: they belong to [{version}].")
    if not candidate.clean:
        reasons.append("There are changes that are not committed.")
    return reasons


def notes(changelog: str, version: str, before: str) -> str:
    """The notes for who upgrades: what the change log says, and how to go on."""
    return (
        f"# Upgrading from {before} to {version}\n\n"
        f"Services of both versions run beside one another. Upgrade as deploy/docs/upgrade.md says;"
        f" that page also says how to go back.\n\n{section(changelog, version)}"
    )
