"""Commands on what is published: events, dead letters, the proof, and the schemas."""

import json
from collections import deque
from itertools import islice

import click

from connector import wiring
from connector.cli import render, terminal
from connector.cli.context import complain, connection_argument, json_option, limit_option, lines, ours, say, session_of
from connector.cli.session import Session
from connector.commands import dead_letters as replays
from connector.commands import foreign_records as foreign
from connector.commands import schemas as subjects
from connector.commands.tables import check_tables
from connector.verify import proof


@click.command(name="tail")
@connection_argument
@click.option("--from-beginning", is_flag=True, help="Start with the oldest event that the topics hold.")
@click.option("--until-end", is_flag=True, help="Stop at the end instead of waiting for more.")
@click.option("--table", "tables", multiple=True, metavar="TABLE", help="Show the rows of this table; repeatable.")
@click.option("--tables", "all_tables", is_flag=True, help="Show the rows of all tables.")
@json_option
@limit_option
@session_of
def tail_events(  # noqa: PLR0913  an option each
    session: Session,
    connection: str,
    *,
    from_beginning: bool,
    until_end: bool,
    tables: tuple[str, ...],
    all_tables: bool,
    as_json: bool,
    limit: int | None,
) -> None:
    """Print decoded events of CONNECTION: op, table, id, locale, revision, freshness; t is a tombstone.

    With --table or --tables, rows instead: op of the event they come from, table, id, locale, revision, sequence.
    """
    if tables and all_tables:
        raise click.UsageError("--tables leaves nothing to select: use it alone")
    stream = session.stream(connection, cms=False)
    if tables or all_tables:
        check_tables(stream, tables)
        entries = stream.published().tail_rows(tables, from_beginning=from_beginning, until_end=until_end)
        line = render.row_line
    else:
        if not stream.changes_topics():
            complain(session, f"{connection}: there are no events yet", "the first `contentwire run` publishes them")
        entries = stream.published().tail(from_beginning=from_beginning, until_end=until_end)
        line = render.event_line
    show = render.record_json if as_json else line
    lines(session, map(show, islice(ours(session, connection, entries), limit)))


@click.command()
@connection_argument
@click.option("--shallow", is_flag=True, help="Trust an equal revision and clock, without comparing content.")
@json_option
@limit_option
@session_of
def verify(session: Session, connection: str, *, shallow: bool, as_json: bool, limit: int | None) -> int:
    """Compare what the CMS delivers now with the topics of CONNECTION, its tables too. Exit code 1 if they differ."""
    stream = session.stream(connection)
    session.log()
    with terminal.counting(stream.clock) as progress:
        report = proof.verify(stream, shallow=shallow, progress=progress)
    say(session, json.dumps(report.facts(limit), indent=2) if as_json else render.report(connection, report, limit))
    return 0 if report.proven else 1


@click.command(name="dead-letters")
@connection_argument
@click.option("--replay", "again", is_flag=True, help="Publish those that can be read now; list the others.")
@json_option
@limit_option
@session_of
def dead_letters(session: Session, connection: str, *, again: bool, as_json: bool, limit: int | None) -> None:
    """List the items of CONNECTION that could not be published, the newest last; --json shows their content."""
    stream = session.stream(connection, cms=False)
    found = ours(session, connection, stream.published().dead_letters())
    if again:
        outcome = replays.replay(stream, found)
        say(session, render.replayed(connection, outcome, limit))
        return
    letters = deque(found, maxlen=limit)
    if as_json:
        lines(session, map(render.record_json, letters))
    else:
        say(session, render.letters(letters))


@click.command(name="foreign-records")
@connection_argument
@click.option("--remove", "out", is_flag=True, help="Remove those that can be removed.")
@json_option
@session_of
def foreign_records(session: Session, connection: str, *, out: bool, as_json: bool) -> int:
    """List what others wrote into the topics of CONNECTION. Exit code 1 if any remain."""
    stream = session.stream(connection, cms=False)
    found = foreign.remove(stream) if out else foreign.find(stream)
    if as_json:
        say(session, json.dumps([each.facts() for each in found], indent=2))
    else:
        say(session, render.foreign_records(connection, found))
    return 0 if all(each.removed for each in found) else 1


@click.group()
def schemas() -> None:
    """Manage the schemas in the registry."""


@schemas.command(name="register")
@session_of
def register_schemas(session: Session) -> None:
    """Register the schemas of every connection, as the first run would."""
    for stream in wiring.streams(session.config(cms=())):
        wanted = subjects.examined(stream)
        lines(session, (f"{name} has id {schema_id}" for name, schema_id in subjects.register(stream, wanted)))
        _conclude(session, stream.name, f"{len(wanted.subjects)} subjects have their schemas", wanted.remark)


@schemas.command(name="check")
@session_of
def check_schemas(session: Session) -> None:
    """Ask the registry whether it accepts the schemas of every connection; register nothing."""
    for stream in wiring.streams(session.config(cms=())):
        wanted = subjects.examined(stream)
        subjects.missing(stream, wanted)
        _conclude(session, stream.name, f"{len(wanted.subjects)} subjects accept the schemas", wanted.remark)


def _conclude(session: Session, connection: str, *sentences: str) -> None:
    lines(session, (f"{connection}: {each}" for each in sentences if each))


COMMANDS = (tail_events, verify, dead_letters, foreign_records, schemas)
