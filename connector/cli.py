"""The command line: parses, builds, prints. What commands do stands in the modules they call."""

import contextlib
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, NoReturn

import click
import msgspec

from connector import __version__, config, doctor, overview, replay, sandbox, screen, subject, tail, takeover
from connector import verify as proof
from connector.errors import ConfigError, ConnectorError
from connector.service import Service
from connector.session import Session

_INTERRUPTED: Final = 130
_TERMINATED: Final = 143

_connection: Final = click.argument("connection")
_json: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
_limit: Final = click.option("--limit", type=click.IntRange(min=1), help="Print at most so many.")
_session: Final = click.make_pass_decorator(Session)


class _Cli(click.Group):
    """Ends quietly where the reader of a pipe has enough."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return result


@click.group(cls=_Cli, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="contentwire")
@click.option(
    "--config",
    "path",
    envvar="CONTENTWIRE_CONFIG",
    default="contentwire.toml",
    show_default=True,
    show_envvar=True,
    type=click.Path(path_type=Path),
    help="The configuration file.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, path: Path, *, debug: bool) -> None:
    """Change data capture for headless CMSs: their Sync APIs into Kafka, exactly once.

    Exit codes: 0 ok, 1 failed, 2 configuration, 3 broker, registry or CMS not reachable, 130 and 143 by signal.
    """
    ctx.obj.path, ctx.obj.debug = path, debug


@cli.command()
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@_session
def init(session: Session, *, force: bool) -> None:
    """Write a commented sample configuration."""
    config.write_sample(session.path, overwrite=force)
    click.echo(f"{session.path} written: name your space and broker in it, then run `contentwire check`")


@cli.command()
@_json
@_session
def check(session: Session, *, as_json: bool) -> int:
    """Examine configuration, credentials, broker, topics and registry; change nothing."""
    try:
        findings = list(doctor.examine(session.config()))
    except ConfigError as error:
        findings = doctor.refused(error)
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(finding) for finding in findings], indent=2))
    else:
        rows = [(each.verdict, each.subject, each.message, each.hint) for each in findings]
        click.echo(session.mask(screen.table(("", "what", "found", "what to do"), rows)))
    return doctor.verdict(findings)


@cli.command()
@click.option("--until-caught-up", is_flag=True, help="Make one pass over every stream, then exit.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds something may stay unreachable before that pass ends.",
)
@click.option(
    "--log-format", type=click.Choice(["auto", "text", "json"]), default="auto", help="Default: by what stderr is."
)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Default: info.")
@_session
def run(session: Session, *, until_caught_up: bool, timeout: float, log_format: str, log_level: str | None) -> int:
    """Follow every stream of the configuration that this process owns, until a signal."""
    terminal = any(os.isatty(number) for number in range(3))
    service = Service(session, once=until_caught_up, give_up_after=timeout, terminal=terminal)
    live = log_format == "auto" and sys.stderr.isatty()
    with screen.progress(service.status) if live else contextlib.nullcontext():
        session.log(
            json={"auto": None, "text": False, "json": True}[log_format],
            level=log_level or ("warning" if live else "info"),
        )
        code = service.run()
    for stream in service.unfinished():
        _complain(session, f"{stream.connection}: {stream.error}", stream.hint)
    return code


@cli.command()
@_json
@_session
def status(session: Session, *, as_json: bool) -> None:
    """Show where every stream stands and which process owns it."""
    loaded = session.config()
    streams = list(overview.streams(loaded))
    if as_json:
        click.echo(json.dumps([stream.facts() for stream in streams], indent=2))
    else:
        click.echo(screen.table(overview.HEADERS, [stream.row() for stream in streams]))
    for message, hint in overview.warnings(loaded):
        _complain(session, message, hint)


@cli.command(name="tail")
@_connection
@click.option("--from-beginning", is_flag=True, help="Start with the oldest event that the topics hold.")
@click.option("--until-end", is_flag=True, help="Stop at the end instead of waiting for more.")
@_json
@_limit
@_session
def tail_events(  # noqa: PLR0913  an option each
    session: Session, connection: str, *, from_beginning: bool, until_end: bool, as_json: bool, limit: int | None
) -> None:
    """Print decoded events of CONNECTION: op, table, id, locale, revision, freshness; t is a tombstone."""
    of = session.connection(connection)
    if not tail.topics(*of):
        _complain(session, f"{connection}: there are no events yet", "the first `contentwire run` publishes them")
    for entry in islice(tail.events(*of, from_beginning=from_beginning, until_end=until_end), limit):
        click.echo(entry.json() if as_json else entry.event())


@cli.command()
@_connection
@click.option("--shallow", is_flag=True, help="Believe an equal revision and clock, and compare no content then.")
@_json
@_limit
@_session
def verify(session: Session, connection: str, *, shallow: bool, as_json: bool, limit: int | None) -> int:
    """Compare what the CMS delivers now with the topics of CONNECTION, key by key. Exit code 1: they differ."""
    loaded, found = session.connection(connection)
    overview.checkpoint(loaded, connection)  # there is nothing to compare before the first run: it says so
    session.log()
    with screen.counting() as progress:
        report = proof.verify(loaded, found, shallow=shallow, progress=progress)
    click.echo(json.dumps(report.facts(limit), indent=2) if as_json else report.text(connection, limit))
    return 0 if report.proven else 1


@cli.command(name="dead-letters")
@_connection
@click.option("--replay", "again", is_flag=True, help="Publish those that can be read by now; list the others.")
@_json
@_limit
@_session
def dead_letters(session: Session, connection: str, *, again: bool, as_json: bool, limit: int | None) -> None:
    """List the items of CONNECTION that could not be published, the newest last; --json shows their content."""
    if again:
        outcome = replay.replay(*session.connection(connection))
        click.echo(screen.table(replay.HEADERS, [letter.row() for letter in outcome.stays[:limit]]))
        click.echo(outcome.remark(connection))
        return
    letters = tail.newest(tail.dead_letters(*session.connection(connection)), limit)
    if as_json:
        _lines(letter.json() for letter in letters)
    else:
        click.echo(screen.table(tail.LETTER_HEADERS, [letter.letter() for letter in letters]))


@cli.command()
@_connection
@click.option("--all", "everything", is_flag=True, help="Publish unchanged entities as well.")
@click.option("--content-type", "types", multiple=True, help="Publish unchanged entries of this type; repeatable.")
@click.option("--entity", "ids", multiple=True, help="Publish what has this id though unchanged; repeatable.")
@click.option("--allow-deletes", is_flag=True, help="Let the reconciliation delete more than max_delete_share.")
@_session
def snapshot(  # noqa: PLR0913  an option each
    session: Session,
    connection: str,
    *,
    everything: bool,
    types: tuple[str, ...],
    ids: tuple[str, ...],
    allow_deletes: bool,
) -> None:
    """Read all of CONNECTION again, publish what changed, delete what vanished. Works on a running stream."""
    if everything and (types or ids):
        raise click.UsageError("--all leaves nothing to select: give it alone")
    anew = "all" if everything else takeover.selected(types, ids)
    edit = partial(takeover.snapshot, anew=anew, allow_deletes=allow_deletes)
    _take_over(session, connection, edit, "a new snapshot is due")


@cli.command()
@_connection
@_session
def pause(session: Session, connection: str) -> None:
    """Let CONNECTION rest until `resume`. Works on a running stream."""
    _take_over(session, connection, takeover.pause, "paused until `contentwire resume`")


@cli.command()
@_connection
@_session
def resume(session: Session, connection: str) -> None:
    """Let a paused CONNECTION go on."""
    _take_over(session, connection, takeover.resume, "goes on")


@cli.group()
def checkpoints() -> None:
    """Look at and move the resume points of streams."""


@checkpoints.command(name="list")
@_json
@click.pass_context
def list_checkpoints(ctx: click.Context, *, as_json: bool) -> None:
    """List the last checkpoint of every stream, with its owner."""
    ctx.forward(status, as_json=as_json)


@checkpoints.command()
@_connection
@_session
def show(session: Session, connection: str) -> None:
    """Show every member of the last checkpoint of CONNECTION."""
    loaded, _ = session.connection(connection)
    facts = msgspec.to_builtins(overview.checkpoint(loaded, connection))
    click.echo(screen.table(("member", "value"), facts.items()))


@checkpoints.command(name="export")
@_connection
@_session
def export_checkpoint(session: Session, connection: str) -> None:
    """Print the last checkpoint of CONNECTION as JSON, for `import`."""
    loaded, _ = session.connection(connection)
    click.echo(takeover.exported(overview.checkpoint(loaded, connection)))


@checkpoints.command()
@_connection
@click.option("--yes", is_flag=True, help="Do not ask.")
@_session
def reset(session: Session, connection: str, *, yes: bool) -> None:
    """Forget how far CONNECTION has come: a new snapshot. The index stays, and so does what is published."""
    session.connection(connection)
    if not yes:
        _confirm(f"Read all of {connection} again, from the beginning?")
    _take_over(session, connection, takeover.reset, "a new snapshot is due")


@checkpoints.command(name="import")
@_connection
@click.option("--cursor", help="The vendor's own token to go on from.")
@click.argument("file", type=click.File("rb"), required=False)
@_session
def import_checkpoint(session: Session, connection: str, cursor: str | None, file: Any) -> None:
    """Let CONNECTION go on from a vendor's cursor, or from a FILE that `export` wrote (- is stdin)."""
    if bool(cursor) == bool(file):
        raise click.UsageError("give either --cursor TOKEN or a FILE")
    edit = partial(takeover.at_cursor, cursor=cursor) if cursor else takeover.imported(file.read(), file.name)
    _take_over(session, connection, edit, "goes on from the imported cursor")


@cli.group()
def schemas() -> None:
    """Look after the schemas in the registry."""


@schemas.command(name="register")
@_session
def register_schemas(session: Session) -> None:
    """Register the schemas of every connection, as the first run would."""
    loaded = session.config()
    for connection in loaded.connections.values():
        _lines(f"{name} has id {schema_id}" for name, schema_id in subject.register(loaded, connection))


@schemas.command(name="check")
@_session
def check_schemas(session: Session) -> None:
    """Ask the registry whether it accepts the schemas of every connection; register nothing."""
    loaded = session.config()
    for connection in loaded.connections.values():
        click.echo(f"{connection.name}: {subject.check(loaded, connection)} subjects accept the schemas")


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8484, show_default=True, help="0 means a free one.")
@click.option("--seed", type=int, default=1, show_default=True, help="Equal seeds give equal content.")
@click.option("--entries", type=click.IntRange(min=1), default=300, show_default=True, help="Entries at the start.")
def simulate(host: str, port: int, seed: int, entries: int) -> None:
    """Serve simulated CMSs on loopback, and print what to write into a configuration to follow them."""
    sandbox.serve(host, port, seed=seed, entries=entries, started=lambda each: click.echo(sandbox.instructions(each)))


@cli.command()
@click.option("--keep", is_flag=True, help="Leave everything running at the end, until Ctrl-C.")
@click.option("--entries", type=click.IntRange(min=100), help="Entries at the start.")
def demo(**options: Any) -> int:
    """Watch three CMSs flow into a real Kafka, through a crash, and see the proof."""
    try:
        live = importlib.import_module("connector.demo.live")
    except ModuleNotFoundError as error:
        raise ConnectorError(f"the demo needs {error.name}", hint="pip install 'contentwire[demo]'") from error
    return int(live.main(**{name: value for name, value in options.items() if value}))


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # even if whoever started us ignores it
    session = Session(Path(), debug=False, environ=os.environ)
    try:
        code = cli.main(prog_name="contentwire", standalone_mode=False, obj=session) or 0
    except SystemExit as end:
        code = end.code
    except click.exceptions.Abort:
        code = _INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except ConnectorError as error:
        code = failed(session, error)
    if session.sink:
        session.sink.flush(1.0)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    # Threads that still hang (a request, a Kafka client) must not hold up the end; every context has been left.
    os._exit(int(code or 0))


def failed(session: Session, error: ConnectorError) -> int:
    """Tell an error, without secrets, and return its exit code."""
    if session.debug:
        click.echo(session.mask("".join(traceback.format_exception(error))), err=True)
    _complain(session, str(error), error.hint)
    if isinstance(error, ConfigError) and len(error.problems) > 1:
        for problem in error.problems:
            click.echo(session.mask(f"  {screen.plain(problem)}"), err=True)
    return doctor.exit_code(error)


def _complain(session: Session, message: str, hint: str) -> None:
    click.echo(session.mask(f"contentwire: {screen.plain(message)}"), err=True)
    if hint:
        click.echo(session.mask(f"  -> {screen.plain(hint)}"), err=True)


def _take_over(session: Session, connection: str, edit: takeover.Edit, done: str) -> None:
    checkpoint = takeover.take_over(*session.connection(connection), edit)
    click.echo(f"{connection}: {done} (epoch {checkpoint.epoch}, after event {checkpoint.sequence})")


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask at; give --yes")
    if not click.confirm(question, err=True):
        raise ConnectorError("nothing was changed")


def _lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


if __name__ == "__main__":
    main()
