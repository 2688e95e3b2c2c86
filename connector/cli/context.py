"""What commands share: their arguments, and how they speak to a person."""

import sys
from collections.abc import Iterable
from typing import Final

import click

from connector import screen, takeover
from connector.errors import ConnectorError
from connector.session import Session

connection_argument: Final = click.argument("connection")
json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
limit_option: Final = click.option("--limit", type=click.IntRange(min=1), help="Print at most N.", metavar="N")
session_of: Final = click.make_pass_decorator(Session)


def complain(session: Session, message: str, hint: str) -> None:
    """Say what is wrong, and what is next, on standard error: without secrets."""
    click.echo(session.mask(f"contentwire: {screen.plain(message)}"), err=True)
    if hint:
        click.echo(session.mask(f"  -> {screen.plain(hint)}"), err=True)


def confirm(question: str) -> None:
    """Return if a person says yes."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask at; give --yes")
    if not click.confirm(question, err=True):
        raise ConnectorError("nothing was changed")


def lines(found: Iterable[str]) -> None:
    """Print lines as they come."""
    for line in found:
        click.echo(line)


def take_over(session: Session, connection: str, edit: takeover.Edit, done: str) -> int:
    """Let a command edit a stream's checkpoint; say where the stream stands, and return when that was committed."""
    checkpoint = takeover.take_over(*session.connection(connection, cms=False), edit)
    click.echo(f"{connection}: {done} (epoch {checkpoint.epoch}, after event {checkpoint.sequence})")
    return checkpoint.committed_at
