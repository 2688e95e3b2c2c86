"""What a person sees, at any width."""

import io
from collections import Counter

import pytest
from rich.console import Console

from connector.cli.terminal import Rows, _progress
from connector.stream.status import StreamState, StreamStatus

HEADERS = ("connection", "state", "owner", "what is wrong")
ROWS = [
    (
        "blog",
        "stopped",
        "contentwire-host-12.example-4711 at 10.12.0.7",
        "refused with 401; read from CONTENTFUL_TOKEN",
    ),
    ("a-long-name-of-a-shop", "walk_starved", "nobody", ""),
    ("docs", "running", "nobody", f"https://cdn.example/{'x' * 150} is overdue, 日本語日本語"),
]


def shown(drawn: Rows, width: int) -> str:
    """Return what a terminal of that width shows."""
    out = io.StringIO()
    Console(file=out, width=width, height=500, color_system=None).print(drawn)
    return out.getvalue()


def characters(*texts: str) -> Counter[str]:
    """Count what is visible."""
    return Counter(each for text in texts for each in text if not each.isspace())


@pytest.mark.parametrize("width", [20, 30, 40, 59, 60, 61, 79, 80, 100, 120, 200])
def test_nothing_of_a_row_is_cut_off_at_any_width(width: int) -> None:
    """Every character of every cell is there, and no line is wider than the terminal."""
    text = shown(Rows(HEADERS, ROWS), width)
    assert not characters(*(cell for row in ROWS for cell in row)) - characters(text)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", [60, 80, 200])
def test_words_stay_whole_if_there_is_room(width: int) -> None:
    """Names and states can be read, searched and copied: only sentences and overlong words are folded."""
    words = {word for row in ROWS for cell in row[:2] for word in cell.split()} | {"CONTENTFUL_TOKEN"}
    assert words <= set(shown(Rows(HEADERS, ROWS), width).split())


@pytest.mark.parametrize("width", [60, 80])
def test_live_progress_shows_state_and_trouble_on_narrow_terminals(width: int) -> None:
    """Spare columns give way to them."""
    error, hint = "the API did not answer within 30 s", "it is tried again: see the vendor's status page"
    stream = StreamStatus(
        connection="blog", vendor="v", state="retrying", phase="streaming", sequence=1234567, error=error, hint=hint
    )
    words = shown(_progress([stream]), width).split()
    assert {"blog", "retrying", "1234567"} <= set(words)
    assert [word for word in f"{error}; {hint}".split() if word not in words] == []


def test_live_progress_shows_streams_that_wait_for_an_operator_first() -> None:
    """A terminal too short for all streams cuts off the others."""
    states: tuple[StreamState, ...] = ("running", "retrying", "stopped", "running", "deletes_held")
    streams = [StreamStatus(connection=f"c{at}", vendor="v", state=state) for at, state in enumerate(states)]
    rows = shown(_progress(streams), 100).splitlines()[2:]
    assert [row.split()[0] for row in rows] == ["c2", "c4", "c0", "c1", "c3"]


def test_without_a_terminal_a_row_is_one_line() -> None:
    """Scripts read lines: nothing is folded, and columns align by display width."""
    header, *lines = Rows(HEADERS, ROWS).lines().splitlines()
    assert header.split("  ")[0] == "connection"
    assert [line.split()[0] for line in lines] == [row[0] for row in ROWS]
    assert all(row[3] in line for row, line in zip(ROWS, lines, strict=True))
