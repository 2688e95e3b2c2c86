"""What a person sees: tables, lines, live progress. Builds text; callers print it. Nothing here talks to Kafka."""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from connector import logs
from connector.clock import Clock
from connector.stream.status import HALTED, StreamStatus

_STYLES: Final = {
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
_SENTENCE: Final = 24  # cells: longer text is folded, and never to less than this
_BETWEEN: Final = 3  # cells from one column to the next
_BETWEEN_LINES: Final = 10.0  # seconds from one log line to the next of the same kind


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows below their headers: as `Rows` draws them on a terminal, one line per row elsewhere."""
    drawn = Rows(headers, rows)
    if not sys.stdout.isatty():
        return drawn.lines()
    console = Console()
    with console.capture() as capture:
        console.print(drawn)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


class Rows:
    """Rows of text on a terminal. Nothing is ever cut off, however narrow it is.

    Columns of sentences are folded. If that leaves them too little room, the columns named in `spare` are left out,
    and finally each row becomes a block in which each cell starts on a new line.
    """

    def __init__(
        self, headers: Sequence[str], rows: Iterable[Sequence[object]], *, spare: Collection[str] = ()
    ) -> None:
        self._headers = headers
        self._rows = [[plain(cell) for cell in row] for row in rows]
        self._spare = spare

    def lines(self) -> str:
        """Return the rows as aligned text without borders."""
        every = range(len(self._headers))
        widths = [self._width(at) for at in every]
        lines = [[*self._headers], *self._rows]
        padded = [[set_cell_size(line[at], widths[at]) for at in every] for line in lines]
        return "\n".join(" ".join(cells).rstrip() for cells in padded)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw them as wide as the terminal allows."""
        every = range(len(self._headers))
        for shown in (every, [at for at in every if self._headers[at] not in self._spare]):
            folded = {at for at in shown if self._is_sentence(at)}
            taken = sum(self._width(at) for at in shown if at not in folded) + _BETWEEN * (len(shown) - 1)
            room = options.max_width - taken
            if room >= sum(min(self._width(at), _SENTENCE) for at in folded):
                yield self._table(shown, folded)
                return
        yield from self._blocks(options.max_width)

    def _table(self, shown: Sequence[int], folded: Collection[int]) -> Table:
        drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
        for at in shown:
            drawn.add_column(self._headers[at], no_wrap=at not in folded, overflow="fold")
        for row in self._rows:
            drawn.add_row(*(_styled(row[at]) for at in shown))
        return drawn

    def _blocks(self, width: int) -> Iterator[Table | Text]:
        margin = max(map(cell_len, self._headers))
        beside = width >= 2 * margin + _BETWEEN
        for number, row in enumerate(self._rows):
            block = Table.grid(padding=(0, 2 if beside else 0))
            block.add_column(min_width=margin if beside else None, overflow="fold", style="bold")
            block.add_column(overflow="fold")
            for header, cell in zip(self._headers, row, strict=True):
                if cell and beside:
                    block.add_row(Text(header), _styled(cell))
                elif cell:
                    block.add_row(Text(f"{header}: ").append_text(_styled(cell)))
            if number:
                yield Text()
            yield block

    def _width(self, at: int) -> int:
        return max(map(cell_len, (self._headers[at], *(row[at] for row in self._rows))))

    def _is_sentence(self, at: int) -> bool:
        return any(cell_len(row[at]) > _SENTENCE for row in self._rows)


def plain(value: object) -> str:
    """Return `value` as text that cannot move a terminal's cursor: it may come from a CMS."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def moment(at_ms: int | None) -> str:
    """Return a point in time, given in milliseconds since 1970, for a person; nothing for None or 0."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at_ms else ""


@contextmanager
def progress(streams: Callable[[], Sequence[StreamStatus]]) -> Iterator[None]:
    """Show `streams` on the terminal, kept up to date, until the end of the context; log lines scroll above."""
    console = Console(stderr=True)
    with Live(console=console, get_renderable=lambda: _progress(streams()), refresh_per_second=5):
        yield


@contextmanager
def counting(clock: Clock) -> Iterator[Callable[[str, int], None]]:
    """Yield a function that reports what is being done and how far it is: one line on a terminal, else log lines."""
    if sys.stderr.isatty():
        with Console(stderr=True).status("", spinner="line") as status:
            yield lambda what, count: status.update(Text(f"{plain(what)}: {count:,}"))
        return
    log = logs.get("progress")
    said: dict[str, float] = {}

    def tell(what: str, count: int) -> None:
        if clock.monotonic() - said.get(what, -_BETWEEN_LINES) >= _BETWEEN_LINES:
            said[what] = clock.monotonic()
            log.info(what, count=count)

    yield tell


def _progress(streams: Sequence[StreamStatus]) -> Rows:
    headers = ("connection", "state", "phase", "page", "events", "freshness", "what is wrong")
    # Streams that wait for an operator come first: a low terminal cuts off what is below.
    ordered = sorted(streams, key=lambda stream: stream.state not in HALTED)
    return Rows(headers, map(_row, ordered), spare=("phase", "page", "freshness"))


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


def _styled(cell: str) -> Text:
    return Text(cell, style=_STYLES.get(cell, ""))
