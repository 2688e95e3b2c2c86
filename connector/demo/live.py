"""The demo: three CMSs flow into a real Kafka, through a crash, and a proof at the end that nothing was lost."""

import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console

from connector import devservers
from connector.demo import guide, pipeline
from connector.demo.pipeline import CONNECTOR
from connector.demo.show import Show
from connector.demo.view import View

_INTERRUPTED: Final = 130
_ENTRIES: Final = 1000
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def main(*, keep: bool = False, entries: int = _ENTRIES, command: Sequence[str] = CONNECTOR) -> int:
    """Run the demo on this terminal; return 0 if everything held, 1 if not, 130 after Ctrl-C. Nothing is left behind.

    `keep` leaves everything running at the end, until Ctrl-C, which then does not count as an interruption. `command`
    stands for `contentwire`. Raises `ConnectorError` if something cannot be fetched or started, or stops on the way.
    """
    view = View(Console(highlight=False))
    try:
        with _same_signals_afterwards(), _fetching_shown(), ExitStack() as stack, _farewell(view):
            held = _perform(stack, view, entries, command, keep=keep)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0 if held else 1


def _perform(stack: ExitStack, view: View, entries: int, command: Sequence[str], *, keep: bool) -> bool:
    began = time.monotonic()
    view.title("contentwire demo", "three CMSs into a real Kafka, each change exactly once")
    view.section("Set-up")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="contentwire-demo-")))
    servers = stack.enter_context(pipeline.running(folder, os.environ, entries, view))
    show = stack.enter_context(Show(servers, view, command))
    show.snapshot()
    show.edits()
    show.crash()
    held = show.proof()
    view.verdict(held=held, seconds=time.monotonic() - began)
    if keep:
        guide.beside(view, servers)
        _until_interrupted()
    else:
        guide.afterwards(view)
    return held


@contextmanager
def _farewell(view: View) -> Iterator[None]:
    """Say that everything is being stopped, and let no second signal interrupt it.

    Second signals are common: a program between the terminal and this one may pass Ctrl-C on again.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        view.say("Interrupted.")
        raise
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        view.say("Stopping everything …")


@contextmanager
def _same_signals_afterwards() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _fetching_shown() -> Iterator[None]:
    """Show the log lines of downloads if there is no terminal for their progress bar."""
    logger, handler = logging.getLogger(devservers.__name__), logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _until_interrupted() -> None:
    try:
        signal.pause()
    except KeyboardInterrupt:
        return
