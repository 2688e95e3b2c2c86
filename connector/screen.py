"""What a person sees: tables, lines, live progress. Builds text; who calls it prints. Nothing here talks to Kafka."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from connector import logs
from connector.status import StreamStatus

_STYLES = {
    "ok": "green",
    "running": "green",
    "warning": "yellow",
    "retrying": "yellow",
    "paused": "yellow",
    "failed": "red",
    "stopped": "red",
    "walk_starved": "red",
    "deletes_held": "red",
}
_FEW = 4  # columns that hold sentences; of more, all but the last hold words
_WIDE = 10_000  # a pipe has no edge to wrap at
_BETWEEN_LINES = 10.0  # seconds from one log line to the next of the same kind


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows below their headers: drawn on a terminal, aligned plain text elsewhere."""
    console = Console() if sys.stdout.isatty() else Console(width=_WIDE, no_color=True)
    with console.capture() as capture:
        console.print(_table(headers, rows, ruled=console.is_terminal))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def plain(value: object) -> str:
    """Return `value` as text that cannot move a terminal's cursor: what it names may come from a CMS."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def moment(at_ms: int | None) -> str:
    """Return a point in time, given in milliseconds since 1970, for a person; nothing for None or 0."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at_ms else ""


@contextmanager
def progress(streams: Callable[[], Sequence[StreamStatus]]) -> Iterator[None]:
    """Show `streams` on the terminal, always as they are, until the end of the context; log lines pass above."""
    console = Console(stderr=True)
    with Live(console=console, get_renderable=lambda: _progress(streams()), refresh_per_second=5):
        yield


@contextmanager
def counting() -> Iterator[Callable[[str, int], None]]:
    """Give a function to tell what is being done, and how much so far: a line on the terminal, log lines elsewhere."""
    if sys.stderr.isatty():
        with Console(stderr=True).status("") as status:
            yield lambda what, count: status.update(Text(f"{plain(what)}: {count:,}"))
        return
    log = logs.get("progress")
    said: dict[str, float] = {}

    def tell(what: str, count: int) -> None:
        if time.monotonic() - said.get(what, -_BETWEEN_LINES) >= _BETWEEN_LINES:
            said[what] = time.monotonic()
            log.info(what, count=count)

    yield tell


def _progress(streams: Sequence[StreamStatus]) -> Table:
    headers = ("connection", "state", "phase", "page", "events", "freshness", "what is wrong")
    return _table(headers, map(_row, streams), ruled=True)


def _row(stream: StreamStatus) -> tuple[object, ...]:
    return (
        stream.connection,
        stream.state,
        stream.phase,
        stream.page or "",
        stream.sequence,
        "" if stream.freshness is None else f"{stream.freshness:.1f} s",
        "; ".join(filter(None, (stream.error, stream.hint))),
    )


def _table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, ruled: bool) -> Table:
    drawn = Table(box=box.SIMPLE_HEAD if ruled else None, pad_edge=False, header_style="bold")
    *narrow, last = headers
    for header in narrow:
        drawn.add_column(header, no_wrap=not ruled or len(headers) > _FEW)
    drawn.add_column(last)
    for row in rows:
        drawn.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in map(plain, row)))
    return drawn
