"""Commands to what is published: events, dead letters, their proof, and their schemas."""

import json
from itertools import islice

import click

from connector import console
from connector.cli.context import complain, connection_argument, json_option, limit_option, lines, ours, say, session_of
from connector.cli.session import Session
from connector.commands import dead_letters as replays
from connector.commands import foreign_records as foreign
from connector.commands import schemas as subjects
from connector.commands import status
from connector.kafka import published
from connector.verify import proof


@click.command(name="tail")
@connection_argument
@click.option("--from-beginning", is_flag=True, help="Start with the oldest event that the topics hold.")
@click.option("--until-end", is_flag=True, help="Stop at the end instead of waiting for more.")
@json_option
@limit_option
@session_of
def tail_events(  # noqa: PLR0913  an option each
    session: Session, connection: str, *, from_beginning: bool, until_end: bool, as_json: bool, limit: int | None
) -> None:
    """Print decoded events of CONNECTION: op, table, id, locale, revision, freshness; t is a tombstone."""
    of = session.connection(connection, cms=False)
    if not published.topics(*of):
        complain(session, f"{connection}: there are no events yet", "the first `contentwire run` publishes them")
    entries = published.events(*of, from_beginning=from_beginning, until_end=until_end)
    for entry in islice(ours(session, connection, entries), limit):
        say(session, entry.json() if as_json else entry.event())


@click.command()
@connection_argument
@click.option("--shallow", is_flag=True, help="Believe an equal revision and clock, and compare no content then.")
@json_option
@limit_option
@session_of
def verify(session: Session, connection: str, *, shallow: bool, as_json: bool, limit: int | None) -> int:
    """Compare what the CMS delivers now with the topics of CONNECTION, key by key. Exit code 1: they differ."""
    loaded, found = session.connection(connection)
    status.checkpoint(loaded, connection)  # there is nothing to compare before the first run: it says so
    session.log()
    with console.counting() as progress:
        report = proof.verify(loaded, found, shallow=shallow, progress=progress)
    say(session, json.dumps(report.facts(limit), indent=2) if as_json else report.text(connection, limit))
    return 0 if report.proven else 1


@click.command(name="dead-letters")
@connection_argument
@click.option("--replay", "again", is_flag=True, help="Publish those that can be read by now; list the others.")
@json_option
@limit_option
@session_of
def dead_letters(session: Session, connection: str, *, again: bool, as_json: bool, limit: int | None) -> None:
    """List the items of CONNECTION that could not be published, the newest last; --json shows their content."""
    of = session.connection(connection, cms=False)
    found = ours(session, connection, published.dead_letters(*of))
    if again:
        outcome = replays.replay(*of, found)
        say(session, console.table(replays.HEADERS, [letter.row() for letter in outcome.stays[:limit]]))
        say(session, outcome.remark(connection))
        return
    letters = published.newest(found, limit)
    if as_json:
        lines(session, (letter.json() for letter in letters))
    else:
        say(session, console.table(published.LETTER_HEADERS, [letter.letter() for letter in letters]))


@click.command(name="foreign-records")
@connection_argument
@click.option("--remove", "out", is_flag=True, help="Take them out, as far as that can be done.")
@json_option
@session_of
def foreign_records(session: Session, connection: str, *, out: bool, as_json: bool) -> int:
    """List what others wrote into the topics of CONNECTION. Exit code 1: something is there, and stays."""
    of = session.connection(connection, cms=False)
    found = foreign.remove(*of) if out else foreign.find(*of)
    if as_json:
        say(session, json.dumps([each.facts() for each in found], indent=2))
    else:
        say(session, console.table(foreign.HEADERS, [each.row() for each in found]))
        say(session, foreign.remark(connection, found))
    return 0 if all(each.removed for each in found) else 1


@click.group()
def schemas() -> None:
    """Look after the schemas in the registry."""


@schemas.command(name="register")
@session_of
def register_schemas(session: Session) -> None:
    """Register the schemas of every connection, as the first run would."""
    loaded = session.config(cms=())
    for connection in loaded.connections.values():
        lines(session, (f"{name} has id {schema_id}" for name, schema_id in subjects.register(loaded, connection)))


@schemas.command(name="check")
@session_of
def check_schemas(session: Session) -> None:
    """Ask the registry whether it accepts the schemas of every connection; register nothing."""
    loaded = session.config(cms=())
    for connection in loaded.connections.values():
        say(session, f"{connection.name}: {subjects.check(loaded, connection)} subjects accept the schemas")


COMMANDS = (tail_events, verify, dead_letters, foreign_records, schemas)
