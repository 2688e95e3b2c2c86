"""Log lines into pipes and files: a reader that does not take them costs lines, and delays nobody."""

import os
import threading
from pathlib import Path

from connector.logs.sink import Sink


def notice(count: int) -> str:
    """Return a line about lost ones."""
    return f"lost {count}"


def test_a_reader_that_is_gone_costs_only_lines() -> None:
    """A pipe without a reader: every line is lost, and nothing is raised."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        sink = Sink(stream, notice)
        sink.line("read")
        sink.flush(5)
        assert os.read(reading, 100) == b"read\n"
        os.close(reading)
        sink.line("unread")
        sink.flush(5)
        assert sink.lost == 1


def test_a_reader_that_does_not_read_delays_nobody() -> None:
    """The pipe is full, and so is the queue: lines are lost, and whoever logs continues at once."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        sink = Sink(stream, notice)
        done = threading.Event()

        def much() -> None:
            for _ in range(30_000):
                sink.line("x" * 100)
            done.set()

        threading.Thread(target=much, daemon=True).start()
        assert done.wait(10)
        assert sink.lost > 0
        os.close(reading)


def test_a_full_disk_costs_only_lines() -> None:
    """/dev/full refuses every line."""
    with Path("/dev/full").open("w") as stream:
        sink = Sink(stream, notice)
        sink.line("no room")
        sink.flush(5)
        assert sink.lost == 1
