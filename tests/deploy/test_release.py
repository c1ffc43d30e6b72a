"""What makes a release: when there is one, its notes, its lists, and that its signature tells."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from harmonic_release import deciding, images, parts, sbom
from harmonic_release.images import digests, size

ROOT = Path(__file__).resolve().parents[2]
LOG = """# Changelog

## [Unreleased]

## [1.3.0]

### Added

- A thing.

## [1.2.0]

- An older thing.
"""
GOOD = deciding.Candidate(
    versions={"a": "1.3.0", "b": "1.3.0"},
    changelog=LOG,
    last=deciding.Last("1.2.0", "c" * 40),
    contract_changed=True,
    clean=True,
)


def test_a_committed_tree_with_one_newer_version_and_its_notes_is_a_release() -> None:
    assert deciding.refusals(GOOD) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"versions": {"a": "1.3.0", "b": "1.4.0"}}, "The versions differ: a 1.3.0, b 1.4.0."),
        (
            {"last": deciding.Last("1.3.0", "")},
            "shared/contract changed since 1.3.0, and the version is 1.3.0.",
        ),
        (
            {"last": deciding.Last("1.10.0", ""), "contract_changed": False},
            "1.3.0 is not newer than the last release, 1.10.0.",
        ),
        ({"changelog": "# Changelog\n"}, "CHANGELOG.md has no section [1.3.0]."),
        (
            {"changelog": LOG.replace("[Unreleased]\n", "[Unreleased]\n\n- A new thing.\n")},
            "CHANGELOG.md has lines under [Unreleased]: they belong to [1.3.0].",
        ),
        ({"clean": False}, "There are changes that are not committed."),
    ],
)
def test_anything_else_is_refused_with_the_reason(change: dict[str, object], reason: str) -> None:
    assert deciding.refusals(replace(GOOD, **change)) == [reason]  # type: ignore[arg-type]


def committed(clone: Path, **texts: str) -> str:
    """Commit other texts of a clone's files; the commit."""
    for name, text in texts.items():
        (clone / name.replace("__", "/")).write_text(text)
    git = ("git", "-C", str(clone), "-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "A change"], check=True)
    said = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return said.stdout.strip()


def test_a_release_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    """In a clone whose last release is of its own version, and whose contract has changed since."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, clone], check=True)
    # What is tried is the code as it stands here, committed or not.
    for own in ("deploy/release/harmonic_release", "deploy/local/harmonic_local"):
        shutil.copytree(ROOT / own, clone / own, dirs_exist_ok=True)
    path = os.pathsep.join(str(clone / "deploy" / part) for part in ("local", "release"))
    version = tomllib.loads((clone / "gateway/pyproject.toml").read_text())["project"]["version"]
    section = f"# Changelog\n\n## [{version}]\n\n- A thing.\n"
    released = committed(clone, **{"CHANGELOG.md": section})
    entry = f'[[release]]\nversion = "{version}"\ncommit = "{released}"\n'
    committed(clone, **{"deploy__releases.toml": entry, "shared__contract__protocol.md": "Other."})

    def release(key: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harmonic_release", "--key", key, "--brokers", clone],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    refused = release(tmp_path / "no-key")
    assert refused.returncode == 1
    reason = f"shared/contract changed since {version}, and the version is {version}."
    assert refused.stderr == f"No release:\n  {reason}\n"

    committed(clone, **{"deploy__releases.toml": entry.replace(f'"{version}"', '"0.0.1"')})
    refused = release(tmp_path / "no-key")
    assert refused.returncode == 1
    assert refused.stderr.startswith("No release: openssl failed:")
    (tmp_path / "other-key").write_text("This is no key.")
    assert release(tmp_path / "other-key").returncode == 1
    (clone / "dist" / version).mkdir(parents=True)
    key = tmp_path / "key"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", key],
        check=True,
        capture_output=True,
    )
    assert release(key).stderr == f"No release: {clone}/dist/{version} is there already.\n"
    assert list((clone / "dist").rglob("*")) == [clone / "dist" / version]


def test_a_section_ends_where_the_next_begins() -> None:
    assert deciding.section(LOG, "1.3.0") == "## [1.3.0]\n\n### Added\n\n- A thing.\n"
    assert deciding.section(LOG, "1.2.0") == "## [1.2.0]\n\n- An older thing.\n"
    assert deciding.section(LOG, "9.9.9") is None


def test_the_notes_name_both_versions_and_say_what_is_new() -> None:
    notes = deciding.notes(LOG, "1.3.0", "1.2.0")

    assert notes.startswith("# Upgrading from 1.2.0 to 1.3.0\n")
    assert "- A thing." in notes
    assert "older" not in notes


def test_the_last_release_is_named_by_version_and_commit() -> None:
    last = deciding.last((ROOT / "deploy" / "releases.toml").read_text())

    assert len(last.commit) == 40
    assert deciding.section((ROOT / "CHANGELOG.md").read_text(), last.version)


def test_a_changed_file_is_told_by_the_signed_sums(tmp_path: Path) -> None:
    key, public = tmp_path / "key.pem", tmp_path / "public.pem"
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "wheel").write_text("content")
    for command in (
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)],
        ["openssl", "pkey", "-in", str(key), "-pubout", "-out", str(public)],
    ):
        subprocess.run(command, check=True, capture_output=True)
    parts.sums(folder)
    parts.sign(folder, key)
    verify = [
        *("openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(public)),
        *("-in", parts.SUMS, "-sigfile", parts.SIGNATURE),
    ]

    def passes(command: list[str]) -> bool:
        return not subprocess.run(command, cwd=folder, check=False, capture_output=True).returncode

    assert passes(verify)
    assert passes(["sha256sum", "--check", parts.SUMS])

    (folder / "wheel").write_text("changed")
    assert not passes(["sha256sum", "--check", parts.SUMS])
    parts.sums(folder)
    assert not passes(verify)


def test_the_chart_is_packed_the_same_twice_with_all_that_it_links_to(tmp_path: Path) -> None:
    brokers = tmp_path / "brokers"
    brokers.mkdir()
    (brokers / "Chart.yaml").write_text("name: nats\n")
    packed = []
    for number in (1, 2):
        target = tmp_path / str(number)
        target.mkdir()
        packed.append(parts.chart(target, "1.3.0", brokers))

    assert packed[0].read_bytes() == packed[1].read_bytes()
    with tarfile.open(packed[0]) as tar:
        names = set(tar.getnames())
    assert {
        f"harmonic-universe/{path}"
        for path in (
            *("Chart.yaml", "README.md", "templates/probe.yaml", "charts/nats/Chart.yaml"),
            *("files/permissions.conf", "files/rules/causes.yaml"),
        )
    } <= names


def test_npms_packages_are_packed_the_same_twice_and_install_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PACKAGES", ("shared/test-kit-ts",))
    packed: list[Path] = []
    for number in (1, 2):
        target = tmp_path / str(number)
        target.mkdir()
        parts.packages(target)
        packed += target.iterdir()

    assert packed[0].read_bytes() == packed[1].read_bytes()
    with tarfile.open(packed[0]) as tar:
        names = set(tar.getnames())
    kit = {"dist/index.js", "dist/index.d.ts", "README.md", "package.json"}
    assert names == {f"package/{name}" for name in kit}


def test_the_lock_of_an_image_is_read_for_its_own_system() -> None:
    gateway, music = sbom.locked("gateway"), sbom.locked("music")
    names = {name for name, _version in gateway}

    assert {"python-socketio", "aiohttp", "pydantic-core"} <= names
    assert "numpy" not in names
    assert "colorama" not in names
    assert "numpy" in {name for name, _version in music}


def test_digests_tell_content_mode_and_target(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder" / "file"
    file.write_text("content")
    (tmp_path / "link").symlink_to("folder/file")
    before = digests(tmp_path)

    assert set(before) == {"folder", "folder/file", "link"}
    assert before["link"].endswith("folder/file")
    assert size(tmp_path) == len("content")
    file.chmod(0o600)
    assert digests(tmp_path)["folder/file"] != before["folder/file"]


def test_what_git_ignores_is_not_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a clone below a folder that is called as the brokers' charts are."""
    clone = tmp_path / "charts" / "clone"
    subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, clone], check=True)
    chart = clone / "deploy" / "chart"
    (chart / "build").mkdir()
    (chart / "build" / "secret.yaml").write_text("password: one")
    (chart / "Chart.lock").write_text("what Helm has left")
    for module in (parts, images):
        monkeypatch.setattr(module, "ROOT", clone)
    monkeypatch.setattr(parts, "CHART", chart)
    brokers = tmp_path / "brokers"
    brokers.mkdir()
    (brokers / "Chart.yaml").write_text("name: nats\n")

    packed = parts.chart(tmp_path, "1.3.0", brokers)

    with tarfile.open(packed) as tar:
        names = set(tar.getnames())
    base = "harmonic-universe"
    assert {f"{base}/Chart.yaml", f"{base}/charts/nats/Chart.yaml"} <= names
    assert names.isdisjoint({f"{base}/build/secret.yaml", f"{base}/Chart.lock"})


@pytest.mark.parametrize("version", ["1.3.0rc1", "1.3", "1.3.0-rc.1", "v1.3.0", "01.3.0", ""])
def test_what_is_no_version_is_refused_with_a_sentence(version: str) -> None:
    candidate = replace(GOOD, versions={"a": version, "b": version})
    assert deciding.refusals(candidate) == [f"{version} is no version such as 1.2.3."]
