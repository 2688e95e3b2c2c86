"""Log lines that cannot be written: counted, reported later, and never anybody else's trouble."""

import io
from pathlib import Path
from typing import Any

import pytest

from connector import logs
from connector.logs.mask import Mask
from connector.logs.sink import Sink


def notice(count: int) -> str:
    """Return a line about lost lines."""
    return f"lost {count}"


class Broken(io.StringIO):
    """A stream that can be written to only while it is `well`."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
        self.well = False

    def write(self, text: str) -> int:
        """Write, or fail."""
        if not self.well:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), BrokenPipeError(), ValueError("closed")])
def test_lost_lines_are_counted_and_reported(error: Exception) -> None:
    """Once it works again, the number of lost lines precedes the first line."""
    stream = Broken(error)
    sink = Sink(stream, notice)
    sink.line("one")
    sink.line("two")
    assert (sink.lost, stream.getvalue()) == (2, "")
    stream.well = True
    sink.line("three")
    sink.line("four")
    assert stream.getvalue() == "lost 2\nthree\nfour\n"
    assert sink.lost == 2


def test_a_value_that_cannot_be_shown_raises_nothing() -> None:
    """A logged object's code is not ours; neither is a closed or missing stream."""

    class Nasty:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    stream = io.StringIO()
    sink = logs.configure(stream, json=True, level="info", secrets=[])
    logs.get("x").info("nasty", fact=Nasty())
    logs.get("x").info("fine")
    assert sink.lost == 1
    assert '"fine"' in stream.getvalue()
    for broken in (None, closed()):
        sink = logs.configure(broken, json=None, level="info", secrets=[])
        logs.get("x").info("nowhere")
    assert sink.lost == 1


def closed() -> Any:
    """Return a closed stream."""
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("nasty", ["\x1b[2J", "\r\nfake line", "\u202ereversed", "\x9b31m", "\x07"])
def test_control_characters_reach_no_terminal(nasty: str) -> None:
    """From the event, values or nested values: a CMS or a webhook may have chosen them."""
    stream = io.StringIO()
    logs.configure(stream, json=False, level="info", secrets=[])
    logs.get("x").warning(f"event {nasty}", fact=nasty, nested={"a": [nasty]})
    (line,) = stream.getvalue().splitlines()
    assert line.isprintable()


def test_a_mask_learns(tmp_path: Path) -> None:
    """A rotated secret is masked from the moment it is read, and the former one stays masked."""
    mask = Mask(["first-secret"])
    stream = io.StringIO()
    logs.configure(stream, json=True, level="info", secrets=mask)
    mask.learn(["second-secret"])
    logs.get("x").info("first-secret and second-secret")
    assert "secret" not in stream.getvalue()
    assert str(tmp_path) not in stream.getvalue()
