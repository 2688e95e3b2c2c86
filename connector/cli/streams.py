"""Commands on streams: where they stand, and what they should do."""

import json
import sys
from functools import partial
from typing import Any

import click

from connector.cli import status_table, terminal
from connector.cli.context import complain, confirm, connection_argument, json_option, say, session_of, take_over
from connector.cli.session import Session
from connector.commands import edits
from connector.commands import status as statuses
from connector.errors import ConfigError, StreamStopped, Unreachable
from connector.events.state_record import flat


@click.command()
@json_option
@session_of
def status(session: Session, *, as_json: bool) -> int:
    """Show where every stream stands and which process owns it. Exit code 1 if one waits for an operator."""
    loaded = session.config(cms=(), registry=False)
    streams = list(statuses.streams(loaded))
    if as_json:
        say(session, json.dumps([stream.facts() for stream in streams], indent=2))
    else:
        say(session, status_table.streams(streams))
    for message, hint in statuses.warnings(loaded):
        complain(session, message, hint)
    return 1 if any(stream.stopped for stream in streams) else 0


@click.command()
@connection_argument
@click.option("--all", "everything", is_flag=True, help="Publish unchanged entities as well.")
@click.option(
    "--content-type", "types", multiple=True, help="Publish entries of this type even if unchanged; repeatable."
)
@click.option("--entity", "ids", multiple=True, help="Publish what has this id even if unchanged; repeatable.")
@click.option("--tables", "rows", is_flag=True, help="Write all rows of the tables again, and no unchanged event.")
@click.option("--allow-deletes", is_flag=True, help="Let the reconciliation delete more than max_delete_share.")
@session_of
def snapshot(  # noqa: PLR0913  an option each
    session: Session,
    connection: str,
    *,
    everything: bool,
    types: tuple[str, ...],
    ids: tuple[str, ...],
    rows: bool,
    allow_deletes: bool,
) -> None:
    """Read all of CONNECTION again, publish what changed, delete what vanished. Works on a running stream."""
    for option, chosen_alone in (("--all", everything), ("--tables", rows)):
        if chosen_alone and (types or ids or (everything and rows)):
            raise click.UsageError(f"{option} leaves nothing to select: use it alone")
    republish = edits.selected(types, ids, everything=everything)
    edit = partial(edits.snapshot, republish=republish, allow_deletes=allow_deletes, rows=rows)
    stream = session.stream(connection, cms=False)
    if rows and not stream.connection.tables:
        raise ConfigError(f"{connection}: has no tables", hint="set tables = true in its configuration, and restart")
    chosen = edits.chosen(republish)
    live = stream.live(chosen) if chosen else None
    take_over(session, stream, edit, f"a new snapshot is due{', with the rows of all tables' if rows else ''}", live)


@click.command()
@connection_argument
@session_of
def pause(session: Session, connection: str) -> None:
    """Pause CONNECTION until `resume`. Works on a running stream."""
    take_over(session, session.stream(connection, cms=False), edits.pause, "paused until `contentwire resume`")


@click.command()
@connection_argument
@session_of
@click.option("--no-wait", is_flag=True, help="Do not wait for the outcome.")
@click.option("--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to wait.")
def resume(session: Session, connection: str, *, no_wait: bool, timeout: float) -> int:
    """Resume a paused or stopped CONNECTION, with everything read again, and wait for the outcome.

    Exit codes: 0 it works (or will, once a process follows it), 1 it has stopped again, 3 it is still trying.
    """
    stream = session.stream(connection, cms=False)
    before = statuses.state_end(stream)
    committed_at = take_over(session, stream, edits.resume, "asked to resume")
    if no_wait:
        return 0
    came = statuses.outcome(stream, before, committed_at, timeout)
    if came.kind in ("running", "unowned"):
        say(session, came.message)
        return 0
    complain(session, came.message, came.hint)
    return StreamStopped.exit_code if came.kind == "stopped" else Unreachable.exit_code


class _Checkpoints(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] == "list":
            ctx.fail("`contentwire status` lists them")
        return super().resolve_command(ctx, args)


@click.group(cls=_Checkpoints)
def checkpoints() -> None:
    """Show and move the resume point of a stream; `contentwire status` lists those of all streams."""


@checkpoints.command()
@connection_argument
@session_of
def show(session: Session, connection: str) -> None:
    """Show every field of the last checkpoint of CONNECTION."""
    facts = flat(session.stream(connection, cms=False, registry=False).committed())
    say(session, terminal.table(("field", "value"), facts.items()))


@checkpoints.command(name="export")
@connection_argument
@session_of
def export_checkpoint(session: Session, connection: str) -> None:
    """Print the last checkpoint of CONNECTION as JSON, for `import`. It contains the cursor: mind who can read it."""
    click.echo(edits.exported(session.stream(connection, cms=False, registry=False).committed()))


@checkpoints.command()
@connection_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@session_of
def reset(session: Session, connection: str, *, yes: bool) -> None:
    """Forget how far CONNECTION has come, and take a new snapshot. The index and what is published stay."""
    stream = session.stream(connection, cms=False)
    if not yes:
        confirm(f"Read all of {connection} again, from the beginning?")
    take_over(session, stream, edits.reset, "a new snapshot is due")


@checkpoints.command(name="import")
@connection_argument
@click.option("--cursor", metavar="CURSOR", help="The vendor's cursor to continue from; - reads it from stdin.")
@click.argument("file", type=click.File("rb"), required=False)
@session_of
def import_checkpoint(session: Session, connection: str, cursor: str | None, file: Any) -> None:
    """Make CONNECTION continue from a vendor's cursor, or from a FILE that `export` wrote (- is stdin)."""
    if bool(cursor) == bool(file):
        raise click.UsageError("give either --cursor CURSOR or a FILE")
    if cursor == "-":
        # Everybody on the machine can read a command line, and it stays in the shell's history.
        cursor = sys.stdin.readline().strip()
        if not cursor:
            raise click.UsageError("there is no cursor on standard input")
    edit = partial(edits.at_cursor, cursor=cursor) if cursor else edits.imported(file.read(), file.name)
    take_over(session, session.stream(connection, cms=False), edit, "continues from the imported cursor")


COMMANDS = (status, snapshot, pause, resume, checkpoints)
