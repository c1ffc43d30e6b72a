"""Settings: read from the environment, refused with a sentence that names the variable."""

from pathlib import Path

import pytest

from harmonic_runtime.process.reference import describe_in_force, describe_settings
from harmonic_runtime.process.settings import MAX_SECRET_BYTES, ServiceSettings, load_settings
from harmonic_runtime.process.variables import unknown_variables


def refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **variables: str
) -> list[str]:
    """The sentences with which these variables are refused."""
    for name, value in variables.items():
        monkeypatch.setenv(f"HARMONIC_{name}", value)
    with pytest.raises(SystemExit) as exit_:
        load_settings(ServiceSettings)
    assert exit_.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_defaults_suffice_and_every_process_has_a_name_of_its_own() -> None:
    first, second = load_settings(ServiceSettings), load_settings(ServiceSettings)
    assert first.replica_id != second.replica_id
    assert first.instance != second.instance


def test_a_process_is_a_new_replica_whatever_is_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HARMONIC_INSTANCE", "gateway-0")
    monkeypatch.setenv("HARMONIC_REPLICA_ID", "gateway-0")
    first, second = load_settings(ServiceSettings), load_settings(ServiceSettings)
    assert first.instance == second.instance == "gateway-0"
    assert first.replica_id != second.replica_id


def test_a_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hidden\n")
    monkeypatch.setenv("HARMONIC_NATS_USER", "me")
    monkeypatch.setenv("HARMONIC_NATS_PASSWORD_FILE", str(file))
    settings = load_settings(ServiceSettings)
    assert settings.nats_password is not None
    assert settings.nats_password.get_secret_value() == "hidden"


def test_a_secret_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = refusal(
        monkeypatch, capsys, NATS_USER="me", NATS_PASSWORD="hidden", NATS_PASSWORD_FILE="f"
    )
    assert lines == ["HARMONIC_NATS_PASSWORD and HARMONIC_NATS_PASSWORD_FILE exclude one another."]


@pytest.mark.parametrize("content", [None, b"", b" \n", b"x" * (MAX_SECRET_BYTES + 1), b"\xff"])
def test_a_file_without_a_secret_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    content: bytes | None,
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    (line,) = refusal(monkeypatch, capsys, NATS_USER="me", NATS_PASSWORD_FILE=str(file))
    assert line.startswith("HARMONIC_NATS_PASSWORD_FILE names a file that cannot be read: ")


def test_what_is_in_force_is_shown_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARMONIC_NATS_USER", "me")
    monkeypatch.setenv("HARMONIC_NATS_PASSWORD", "hidden")
    lines = describe_in_force(load_settings(ServiceSettings)).splitlines()
    assert "HARMONIC_NATS_PASSWORD=***  # set" in lines
    assert "HARMONIC_STOP_TIMEOUT_S=25.0  # default" in lines
    assert not any("hidden" in line for line in lines)


def test_a_variable_that_nobody_knows_is_named_with_the_nearest() -> None:
    environment = ["HARMONIC_NATS_ULR", "HARMONIC_JWT_SECRET", "HARMONIC_STREAM_REPLICAS", "PATH"]
    assert list(unknown_variables(environment)) == [("HARMONIC_NATS_ULR", "HARMONIC_NATS_URL")]


def test_a_setting_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARMONIC_STOP_TIMEOUT_S", "7.5")
    assert load_settings(ServiceSettings).stop_timeout_s == 7.5


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("OPS_PORT", "70000", "HARMONIC_OPS_PORT must be less than or equal to 65535."),
        ("OPS_PORT", "http", "HARMONIC_OPS_PORT must be a valid integer"),
        ("LOG_FORMAT", "xml", "HARMONIC_LOG_FORMAT must be 'json' or 'console'."),
        ("INSTANCE", "a b", "HARMONIC_INSTANCE must match "),
        ("INSTANCE", "a" * 254, "HARMONIC_INSTANCE must have at most 253 characters"),
        (
            "OPS_PORT",
            "tcp://10.0.0.1:80",
            "HARMONIC_OPS_PORT is an address that Kubernetes service links",
        ),
        ("NATS_URL", "localhost", "HARMONIC_NATS_URL must name servers as nats://host:port"),
        ("NATS_USER", "me", "HARMONIC_NATS_USER and HARMONIC_NATS_PASSWORD go together."),
        ("NATS_KEY_FILE", "k", "HARMONIC_NATS_CERT_FILE and HARMONIC_NATS_KEY_FILE go together."),
    ],
)
def test_a_mistake_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    sentence: str,
) -> None:
    (line,) = refusal(monkeypatch, capsys, **{name: value})
    assert line.startswith(sentence)
    assert line.endswith(".")


def test_every_mistake_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = refusal(monkeypatch, capsys, OPS_PORT="-1", STOP_TIMEOUT_S="0")
    assert [line.split()[0] for line in lines] == [
        "HARMONIC_OPS_PORT",
        "HARMONIC_STOP_TIMEOUT_S",
    ]


def test_a_password_in_a_url_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = refusal(monkeypatch, capsys, NATS_URL="nats://me:hidden@host:4222")
    assert "HARMONIC_NATS_USER" in line
    assert "hidden" not in line


def test_the_reference_tells_default_unit_and_bounds_of_every_setting() -> None:
    table = describe_settings(ServiceSettings)
    assert len(table.splitlines()) == 2 + len(ServiceSettings.model_fields)
    assert (
        "| `HARMONIC_STOP_TIMEOUT_S` | `25.0` | seconds, at least 0.1, at most 600 |"
        " time that a stop may take, then it is cut short |"
    ) in table
