"""How commands talk to a person: no secrets, no control characters, and no question if nobody is there."""

import io
from pathlib import Path

import click
import pytest

from connector.cli.context import complain, confirm, lines, ours, say, warn
from connector.cli.session import Session
from connector.errors import ConnectorError
from connector.kafka.foreign_records import Foreign
from connector.kafka.published import Entry
from connector.kafka.reader import Consumed

RECORD = Consumed("t", 0, 7, 1_750_000_000_000, b"", b"")
OURS = Entry(RECORD, {"id": "e1"}, None)
FOREIGN = Entry(RECORD, {}, None, Foreign("t", 0, 8, b"x", "no key of ours"))


@pytest.fixture(name="session")
def _session() -> Session:
    """Return a session that has read one secret."""
    session = Session(Path("contentwire.toml"), debug=False, environ={})
    session.mask.learn(["tok-1234-secret"])
    return session


class Terminal(io.StringIO):
    """An input with somebody at the keyboard."""

    def isatty(self) -> bool:
        """Say that it is a terminal."""
        return True


def test_nothing_that_is_printed_shows_a_secret(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """On either output, whichever function prints it."""
    text = "refused: tok-1234-secret"
    say(session, text)
    warn(session, text)
    complain(session, text, text)
    lines(session, [text])
    shown = capsys.readouterr()
    assert (shown.out.count("refused: "), shown.err.count("refused: ")) == (2, 3)
    assert "tok-1234-secret" not in shown.out + shown.err


def test_a_complaint_is_one_line_and_its_hint_another(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, away from a script's input; without a hint there is no second line."""
    complain(session, "it failed", "try again")
    complain(session, "it failed", "")
    shown = capsys.readouterr()
    assert shown.err == "contentwire: it failed\n  -> try again\ncontentwire: it failed\n"
    assert shown.out == ""


def test_a_complaint_cannot_move_the_cursor(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters from a CMS or a broker are shown, not obeyed."""
    complain(session, "it said \x1b[2J\nall is well", "see \x07")
    assert [line.isprintable() for line in capsys.readouterr().err.splitlines()] == [True, True]


def test_an_unwritable_standard_error_changes_no_outcome(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk behind standard error does not fail the command."""

    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stderr", Full())
    warn(session, "something")


@pytest.mark.parametrize("stdin", [None, io.StringIO("y\n")])
def test_without_a_terminal_there_is_no_question(monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO | None) -> None:
    """A script has to confirm explicitly; a y on its input may be meant for something else."""
    monkeypatch.setattr("sys.stdin", stdin)
    with pytest.raises(click.UsageError, match="--yes"):
        confirm("Really?")


def test_only_a_yes_is_a_yes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Enter alone means no, and the question does not end up in the output."""
    monkeypatch.setattr("sys.stdin", Terminal("y\n\n"))
    confirm("Really?")
    with pytest.raises(ConnectorError, match="nothing was changed"):
        confirm("Really?")
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("Really?")) == ("", 2)


def test_foreign_records_are_skipped_and_reported(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its place; the hint is printed once."""
    assert list(ours(session, "blog", [FOREIGN, OURS, FOREIGN])) == [OURS]
    shown = capsys.readouterr().err
    assert shown.count("skipped t partition 0 offset 8: no key of ours") == 2
    assert shown.count("contentwire foreign-records blog --remove") == 1
