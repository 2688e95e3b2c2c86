"""The command line's frame: its options, how it ends, and what happens if output cannot be written."""

import contextlib
import io
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NoReturn

import click

from connector import __version__, logs
from connector.cli import events, setup, streams, terminal
from connector.cli.context import complain, warn
from connector.cli.session import Session
from connector.errors import ConfigError, ConnectorError, LocalTrouble
from connector.model.core import CORE

_INTERRUPTED: Final = 130
_TERMINATED: Final = 143
_HUNG_UP: Final = 129
_VERSION: Final = f"%(prog)s, version %(version)s, {'with' if CORE else 'without'} the compiled core"


class _Cli(click.Group):
    """Ends quietly if the reader of a pipe closes it."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _until_enough():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _until_enough():
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result


@contextlib.contextmanager
def _until_enough() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        if error is not _output_error():
            raise LocalTrouble.of(error) from error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


@click.group(cls=_Cli, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="contentwire", message=_VERSION)
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

    Exit codes: 0 ok, 1 failed, 2 configuration, 3 broker, registry or CMS not reachable, 4 a thread
    that the process needs has ended, 129, 130 and 143 by signal.
    """
    ctx.obj.path, ctx.obj.debug = path, debug


for command in (*setup.COMMANDS, *streams.COMMANDS, *events.COMMANDS):
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    _reserve_descriptors()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(_HUNG_UP))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # even if whoever started us ignores it
    session = Session(Path(), debug=False, environ=os.environ)
    _catch_the_rest()
    code = _run(session)
    if session.sink:
        session.sink.flush(1.0)
    # Threads that still hang (a request, a Kafka client) must not delay the end; every context has been left.
    os._exit(code)


def _run(session: Session) -> int:
    try:
        code = cli.main(prog_name="contentwire", standalone_mode=False, obj=session) or 0
        sys.stdout.flush()
    except SystemExit as end:
        code = end.code
    except click.exceptions.Abort:
        code = _INTERRUPTED
    except click.ClickException as error:
        with contextlib.suppress(OSError):
            error.show()
        code = error.exit_code
    except ConnectorError as error:
        code = failed(session, error)
    except OSError as error:
        code = failed(session, _meaning(error))
    except Exception as error:  # noqa: BLE001  the last resort: no secret leaves in a traceback
        warn(session, "".join(traceback.format_exception(error)))
        complain(session, f"unexpected {type(error).__name__}", "this is a bug in contentwire: report it")
        code = ConnectorError.exit_code
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    return int(code or 0)


def failed(session: Session, error: ConnectorError) -> int:
    """Report an error, without secrets, and return its exit code."""
    if session.debug:
        warn(session, "".join(traceback.format_exception(error)))
    complain(session, str(error), error.hint)
    if isinstance(error, ConfigError) and len(error.problems) > 1:
        for problem in error.problems:
            warn(session, f"  {terminal.plain(problem)}")
    return error.exit_code


class _Output(io.FileIO):
    """Standard output that keeps the error it raised: nothing else distinguishes it from errors of files and sockets.

    Flushing again does not: whether unwritten output is kept or dropped depends on its length and PYTHONUNBUFFERED.
    """

    error: OSError | None = None

    def write(self, text: Any) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self.error = error
            raise


def _output_error() -> OSError | None:
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.error if isinstance(raw, _Output) else None


def _meaning(error: OSError) -> ConnectorError:
    """Return what an unexpected error of the operating system means."""
    if error is _output_error():
        return ConnectorError(f"the output cannot be written: {error.strerror}")
    return LocalTrouble.of(error)


def _reserve_descriptors() -> None:
    """Open closed standard descriptors: otherwise the next socket would get the number, and our output."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    # Whoever closes an output wants none: the command works as if its output were discarded.
    sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115  for as long as the process
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  as above
    # Characters that the terminal's encoding lacks are shown escaped; no command ends because of them.
    if hasattr(sys.stderr, "reconfigure"):
        sys.stderr.reconfigure(errors="backslashreplace")
    raw = _Output(1, "w", closefd=False)
    encoding = sys.stdout.encoding if sys.stdout else "utf-8"
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors="backslashreplace", line_buffering=raw.isatty()
    )


def _catch_the_rest() -> None:
    """Send uncaught errors through the log, which masks secrets; failing to log one stops nothing."""
    log = logs.get("process")
    logging.raiseExceptions = False

    def in_thread(caught: threading.ExceptHookArgs) -> None:
        if caught.exc_value:
            name = caught.thread.name if caught.thread else ""
            log.error("a thread has failed unexpectedly", thread=name, exc_info=caught.exc_value)

    def unraisable(caught: Any) -> None:
        if caught.exc_value:
            log.warning("an error could not be raised", exc_info=caught.exc_value)

    def anywhere(_kind: type[BaseException], error: BaseException, _at: TracebackType | None) -> None:
        log.error("failed unexpectedly", exc_info=error)

    threading.excepthook = in_thread
    sys.unraisablehook = unraisable
    sys.excepthook = anywhere


if __name__ == "__main__":
    main()
