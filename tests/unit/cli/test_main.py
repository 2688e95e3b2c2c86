"""The command line: its commands and options, and what an error may show."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.cli import cli, failed
from connector.cli.session import Session
from connector.config.load import write_sample
from connector.errors import (
    ConnectorError,
)

CONTRACT = {
    "init": {"force"},
    "check": {"as_json"},
    "run": {"until_caught_up", "timeout", "log_format", "log_level"},
    "status": {"as_json"},
    "tail": {"connection", "from_beginning", "until_end", "tables", "all_tables", "as_json", "limit"},
    "verify": {"connection", "shallow", "as_json", "limit"},
    "dead-letters": {"connection", "again", "as_json", "limit"},
    "foreign-records": {"connection", "out", "as_json"},
    "snapshot": {"connection", "everything", "ids", "types", "allow_deletes", "rows"},
    "pause": {"connection"},
    "resume": {"connection", "no_wait", "timeout"},
    "checkpoints show": {"connection"},
    "checkpoints reset": {"connection", "yes"},
    "checkpoints export": {"connection"},
    "checkpoints import": {"connection", "cursor", "file"},
    "schemas register": set(),
    "schemas check": set(),
    "simulate": {"host", "port", "seed", "entries"},
    "demo": {"keep", "entries"},
}


def commands(group: Any = cli, before: str = "") -> Iterator[str]:
    """Yield the name of every command."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}"


def test_every_command_is_in_the_contract() -> None:
    """A new one is a promise, too."""
    assert set(commands()) == CONTRACT.keys()


@pytest.mark.parametrize("name", CONTRACT)
def test_the_commands_and_their_options_are_a_contract(name: str) -> None:
    """Every documented command is there, with its options, and says what it does."""
    command = cli
    for part in name.split():
        found = getattr(command, "commands", {}).get(part)
        assert found is not None
        command = found
    assert {option.name for option in command.params} == CONTRACT[name]
    assert command.help


def test_no_message_shows_a_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once a configuration is loaded, its secrets are masked in every error, tracebacks included."""
    path = tmp_path / "contentwire.toml"
    write_sample(path, overwrite=False)
    session = Session(path, debug=True, environ={"CONTENTFUL_TOKEN": "tok-123-secret"})
    session.config()
    assert failed(session, ConnectorError("tok-123-secret was refused", hint="renew tok-123-secret")) == 1
    shown = capsys.readouterr().err
    assert "was refused" in shown
    assert "tok-123-secret" not in shown
