"""What commands share: their arguments, and how they talk to a person."""

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import Final

import click

from connector.cli import terminal
from connector.cli.session import Session
from connector.commands import edits, takeover
from connector.errors import ConnectorError
from connector.kafka.foreign_records import remedy
from connector.kafka.published import Entry, Live
from connector.wiring import ConfiguredStream

connection_argument: Final = click.argument("connection")
json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
limit_option: Final = click.option("--limit", type=click.IntRange(min=1), help="Print at most N.", metavar="N")
session_of: Final = click.make_pass_decorator(Session)


def say(session: Session, text: str) -> None:
    """Print to standard output, without secrets. Every command except `checkpoints export` prints through this."""
    click.echo(session.mask(text))


def warn(session: Session, text: str) -> None:
    """Print to standard error, without secrets. If nobody can read it, that does not change the outcome."""
    with contextlib.suppress(OSError):
        click.echo(session.mask(text), err=True)


def complain(session: Session, message: str, hint: str) -> None:
    """Print what is wrong, and what to do next."""
    warn(session, f"contentwire: {terminal.plain(message)}")
    if hint:
        warn(session, f"  -> {terminal.plain(hint)}")


def confirm(question: str) -> None:
    """Return if the user says yes; raise otherwise."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on; pass --yes")
    if not click.confirm(question, err=True):
        raise ConnectorError("nothing was changed")


def lines(session: Session, found: Iterable[str]) -> None:
    """Print lines as they come."""
    for line in found:
        say(session, line)


def ours(session: Session, connection: str, entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield what contentwire wrote; report where each foreign record is, and once what to do about them."""
    hint = remedy(connection)
    for entry in entries:
        if entry.foreign:
            complain(session, f"skipped {entry.foreign}", hint)
            hint = ""
        else:
            yield entry


def take_over(session: Session, stream: ConfiguredStream, edit: edits.Edit, done: str, live: Live | None = None) -> int:
    """Let a command edit a stream's checkpoint; print where the stream stands, and return when that was committed."""
    checkpoint = takeover.take_over(stream, edit, live)
    position, sequence = checkpoint.position, checkpoint.progress.sequence
    say(session, f"{stream.name}: {done} (epoch {position.epoch}, after event {sequence})")
    return checkpoint.committed_at
