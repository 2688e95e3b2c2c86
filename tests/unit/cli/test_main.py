"""The command line as it is made: commands and options, exit codes, and what an error may show."""

from pathlib import Path

import pytest

from connector.cli import cli, failed
from connector.cli.session import Session
from connector.commands.check import Finding, verdict
from connector.config.load import write_sample
from connector.errors import (
    BrokerUnavailable,
    ConfigError,
    ConnectorError,
    InternalFailure,
    LocalTrouble,
    RegistryUnavailable,
    SourceRejected,
    SourceUnavailable,
    TopicMismatch,
)

CONTRACT = {
    "init": {"force"},
    "check": {"as_json"},
    "run": {"until_caught_up", "timeout", "log_format", "log_level"},
    "status": {"as_json"},
    "tail": {"connection", "from_beginning", "until_end", "as_json", "limit"},
    "verify": {"connection", "shallow", "as_json", "limit"},
    "dead-letters": {"connection", "as_json", "limit"},
    "snapshot": {"connection", "everything", "allow_deletes"},
    "pause": {"connection"},
    "resume": {"connection"},
    "checkpoints show": {"connection"},
    "checkpoints reset": {"connection", "yes"},
    "checkpoints export": {"connection"},
    "checkpoints import": {"connection", "cursor", "file"},
    "schemas register": set(),
    "schemas check": set(),
    "simulate": {"host", "port", "seed", "entries"},
    "demo": {"keep", "entries"},
}


@pytest.mark.parametrize("name", CONTRACT)
def test_the_commands_and_their_options_are_a_contract(name: str) -> None:
    """Every documented command is there, with its options, and says what it does."""
    command = cli
    for part in name.split():
        found = getattr(command, "commands", {}).get(part)
        assert found is not None
        command = found
    assert {option.name for option in command.params} >= CONTRACT[name]
    assert command.help


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (BrokerUnavailable("x"), 3),
        (RegistryUnavailable("x"), 3),
        (SourceUnavailable("x"), 3),
        (SourceRejected("x"), 1),
        (TopicMismatch("x"), 1),
        (ConnectorError("x"), 1),
        (LocalTrouble("x"), 3),
        (InternalFailure("x"), 4),
    ],
)
def test_an_exit_code_says_who_has_to_act(error: ConnectorError, code: int) -> None:
    """2: correct the configuration; 3: wait or look at the environment; 4: report it; 1: anything else."""
    assert error.exit_code == code


def test_what_has_to_be_corrected_comes_before_what_may_pass_by_itself() -> None:
    """An examination ends with 2 before 1 before 3, and warnings fail nothing."""
    findings = [Finding("a", "failed", "", exit_code=code) for code in (3, 1, 2)]
    assert [verdict(findings[:count]) for count in (0, 1, 2, 3)] == [0, 3, 1, 2]
    assert verdict([Finding("a", "warning", "")]) == 0


def test_no_message_shows_a_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once a configuration is loaded its secrets are masked in whatever an error says, tracebacks included."""
    path = tmp_path / "contentwire.toml"
    write_sample(path, overwrite=False)
    session = Session(path, debug=True, environ={"CONTENTFUL_TOKEN": "tok-123-secret"})
    session.config()
    assert failed(session, ConnectorError("tok-123-secret was refused", hint="renew tok-123-secret")) == 1
    told = capsys.readouterr().err
    assert "was refused" in told
    assert "tok-123-secret" not in told
