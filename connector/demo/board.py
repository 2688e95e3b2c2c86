"""What the audience watches: tables that show how many events have arrived each time they are drawn."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from rich.table import Table
from rich.text import Text

from connector.demo.ledger import Identity, Received, announced, expected
from connector.demo.proof import Check
from connector.demo.reader import Follower
from connector.simulator import Change, Live

_DONE, _UNDER_WAY, _BAD = "green", "yellow", "bold red"
_LABEL_WIDTH, _COLUMN_WIDTH = 23, 14


class SnapshotBoard:
    """The initial snapshot of each connection: how much of what its CMS holds has arrived."""

    def __init__(self, follower: Follower, holdings: Mapping[str, Sequence[Live]]) -> None:
        self._follower = follower
        self._expected = {name: expected(lives) for name, lives in holdings.items()}

    def complete(self) -> bool:
        """Whether everything has arrived."""
        return all(
            self._follower.arrivals(name).keys() >= set(identities) for name, identities in self._expected.items()
        )

    def __rich__(self) -> Table:
        table = _table("", "CMS holds", "arrived", "old deletes", "events/s", "took", width=7)
        for name, identities in self._expected.items():
            arrivals = self._follower.arrivals(name)
            live = len(arrivals.keys() & set(identities))
            style = _DONE if live == len(identities) else _UNDER_WAY
            pace = _pace([received.at for received in arrivals.values()])
            markers = f"{len(arrivals) - live:,}"
            table.add_row(name.capitalize(), f"{len(identities):,}", Text(f"{live:,}", style), markers, *pace)
        return table


class Row(msgspec.Struct, frozen=True):
    """One line of a step board: what was done, and when each change was published, by connection."""

    title: str
    published: Mapping[str, Mapping[Identity, float]]


def row(title: str, changes: Sequence[Change], holdings: Mapping[str, Sequence[Live]]) -> Row:
    """Return the line for `changes` of the content."""
    published = {
        name: {identity: change.at / 1000 for change in changes for identity in announced([change], lives)}
        for name, lives in holdings.items()
    }
    return Row(title, published)


class StepBoard:
    """What editors did, line by line, and the resulting events: how many, and the freshness of the last."""

    def __init__(self, follower: Follower, connections: Sequence[str]) -> None:
        self._follower = follower
        self._connections = connections
        self._rows: list[Row | tuple[str, Mapping[str, str]]] = []

    def add(self, line: Row) -> None:
        """Add a line that fills as its events arrive."""
        self._rows.append(line)

    def remark(self, title: str, cells: Mapping[str, str]) -> None:
        """Add a line of text."""
        self._rows.append((title, cells))

    def complete(self) -> bool:
        """Whether every event of every line has arrived."""
        return all(
            self.arrived(line, name) == len(line.published[name])
            for line in self._rows
            if isinstance(line, Row)
            for name in self._connections
        )

    def arrived(self, line: Row, connection: str) -> int:
        """Return how many of a line's events have arrived."""
        return len(self._follower.arrivals(connection).keys() & line.published[connection].keys())

    def progress(self, line: Row, connection: str) -> str:
        """Return how many of a line's events have arrived, out of how many."""
        return f"{self.arrived(line, connection)} of {len(line.published[connection])}"

    def __rich__(self) -> Table:
        table = _table("in the CMS", *map(str.capitalize, self._connections))
        for line in self._rows:
            if isinstance(line, Row):
                table.add_row(line.title, *(self._cell(line, name) for name in self._connections))
            else:
                title, cells = line
                table.add_row(Text(title, "dim"), *(Text(cells[name], "dim") for name in self._connections))
        return table

    def _cell(self, line: Row, connection: str) -> Text:
        published, arrivals = line.published[connection], self._follower.arrivals(connection)
        seen = {identity: arrivals[identity] for identity in published if identity in arrivals}
        if len(seen) < len(published):
            return Text(f"{self.progress(line, connection)} …", _UNDER_WAY)
        slowest = max(received.at - published[identity] for identity, received in seen.items())
        return Text(f"{_ops(seen.values())}  {slowest:5.2f} s", _DONE)


class ProofBoard:
    """The checks as lines, the connections as columns."""

    def __init__(self) -> None:
        self._checks: dict[str, tuple[Check, ...]] = {}

    def add(self, connection: str, checks: tuple[Check, ...]) -> None:
        """Add a connection."""
        self._checks[connection] = checks

    def holds(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for checks in self._checks.values() for check in checks)

    def __rich__(self) -> Table:
        table = _table("", *map(str.capitalize, self._checks))
        for line in zip(*self._checks.values(), strict=True):
            table.add_row(line[0].title, *(Text(check.found, _DONE if check.holds else _BAD) for check in line))
        return table


def _table(label: str, *columns: str, width: int = _COLUMN_WIDTH) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(label, min_width=_LABEL_WIDTH, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True, min_width=width)
    return table


def _pace(times: Sequence[float]) -> tuple[str, str]:
    took = max(times, default=0.0) - min(times, default=0.0)
    return (f"{len(times) / took:,.0f}", f"{took:.1f} s") if took else ("-", "-")


def _ops(events: Iterable[Received]) -> str:
    counts = Counter(received.event["op"] for received in events if received.event)
    return " ".join(f"{count} {op}" for op, count in sorted(counts.items()))
