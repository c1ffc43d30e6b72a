"""Settings: read from the environment, refused with a sentence that names the variable."""

import pytest

from harmonic_runtime.process.settings import ServiceSettings, describe_settings, load_settings


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


def test_a_setting_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARMONIC_STOP_TIMEOUT_S", "7.5")
    assert load_settings(ServiceSettings).stop_timeout_s == 7.5


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("OPS_PORT", "70000", "HARMONIC_OPS_PORT must be less than or equal to 65535."),
        ("OPS_PORT", "http", "HARMONIC_OPS_PORT must be a valid integer"),
        ("LOG_FORMAT", "xml", "HARMONIC_LOG_FORMAT must be 'json' or 'console'."),
        ("REPLICA_ID", "a.b", "HARMONIC_REPLICA_ID must match ^[A-Za-z0-9_-]{1,64}$."),
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
