"""Log lines: their shape for machines and people, and that they never hold a secret."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
import structlog

from connector import logs

SECRET = "p/a ss'w\"ö%rd+1\\"


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        """Claim it."""
        return True


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    """Leave the process's logging as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the JSON lines written so far."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def configured(*secrets: str, level: str = "info") -> io.StringIO:
    """Configure JSON logging into a new stream."""
    stream = io.StringIO()
    logs.configure(stream, json=None, level=level, secrets=secrets)
    return stream


def test_machines_get_one_json_object_per_line() -> None:
    """A line carries its event, level, logger, UTC time and every given fact with its type."""
    stream = configured()
    logs.get("connector.stream.runner").info("page committed", connection="blog", items=3)
    (line,) = lines(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("timestamp"))
    assert line == {
        "event": "page committed",
        "level": "info",
        "logger": "connector.stream.runner",
        "connection": "blog",
        "items": 3,
    }


def test_a_terminal_gets_readable_lines() -> None:
    """On a terminal a line is text, unless JSON is requested."""
    stream = Terminal()
    logs.configure(stream, json=None, level="info", secrets=())
    logs.get("a").info("page committed", items=3)
    assert "page committed" in stream.getvalue()
    assert "{" not in stream.getvalue()
    logs.configure(stream, json=True, level="info", secrets=())
    logs.get("a").info("again")
    assert json.loads(stream.getvalue().splitlines()[-1])["event"] == "again"


def test_the_level_is_a_floor() -> None:
    """Lines below the configured level are not written."""
    stream = configured(level="warning")
    logs.get("a").info("quiet")
    logs.get("a").warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_a_logger_made_before_configuration_follows_it() -> None:
    """A module may get its logger on import."""
    logger = logs.get("early")
    stream = configured()
    logger.info("late")
    assert lines(stream)[0]["logger"] == "early"


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET),
        quote_plus(SECRET),
        quote(SECRET, safe="").lower(),
        repr(SECRET),
        json.dumps(SECRET),
        str(httpx.URL("http://h/", params={"access_token": SECRET})),
        str(httpx.URL("http://h/?access_token=" + quote(SECRET, safe="'+"))),
    ],
)
def test_a_secret_is_masked_in_every_form(terminal: bool, form: str) -> None:  # noqa: FBT001  # parametrized
    """However a secret is quoted in a line, three stars replace it, and its surroundings are kept."""
    stream = Terminal() if terminal else io.StringIO()
    logs.configure(stream, json=None, level="info", secrets=[SECRET])
    logs.get("a").info(f"got <{form}> back")
    written = stream.getvalue() if terminal else lines(stream)[0]["event"]
    assert re.search(r"got <.*\*\*\*.*> back", written)
    assert "rd" not in written.split("back")[0]


class Opaque:
    """A value whose repr shows a secret."""

    def __repr__(self) -> str:
        """Show it."""
        return f"Opaque({SECRET!r})"


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        [SECRET],
        ("a", {"deep": [SECRET]}),
        {SECRET: 1},
        {SECRET},
        SECRET.encode(),
        Opaque(),
        ValueError(SECRET),
        httpx.URL("http://h/", params={"t": SECRET}),
    ],
)
def test_a_secret_is_masked_wherever_a_value_holds_it(value: object) -> None:
    """Nested values, keys, bytes, exceptions and objects that show it only when rendered are all masked."""
    stream = configured(SECRET)
    logs.get("a").info("fact", fact=value)
    assert "***" in json.dumps(lines(stream)[0]["fact"])
    assert "rd+1" not in stream.getvalue()
    assert "rd%2B1" not in stream.getvalue()


def test_a_number_that_is_a_secret_is_masked() -> None:
    """A secret of digits is masked as a number too; other numbers stay numbers."""
    stream = configured("123456")
    logs.get("a").info("fact", pin=123456, ratio=0.5, none=None, yes=True)
    assert {key: lines(stream)[0][key] for key in ("pin", "ratio", "none", "yes")} == {
        "pin": "***",
        "ratio": 0.5,
        "none": None,
        "yes": True,
    }


def fail(local: str) -> None:
    """Fail with a secret in the message, in the cause, and in a local variable."""
    if local:
        raise RuntimeError(f"second {SECRET}") from ValueError(SECRET)


@pytest.mark.parametrize("terminal", [False, True])
def test_exception_texts_are_masked_and_local_variables_never_shown(terminal: bool) -> None:  # noqa: FBT001  # parametrized
    """The line has a traceback, without the secret in its message or its causes, and without variables."""
    stream = Terminal() if terminal else io.StringIO()
    logs.configure(stream, json=None, level="info", secrets=[SECRET])
    try:
        fail("a-local" + "-value")
    except RuntimeError:
        logs.get("a").exception("failed")
    assert "RuntimeError: second ***" in stream.getvalue()
    assert "ValueError: ***" in stream.getvalue()
    assert "rd+1" not in stream.getvalue()
    assert "a-local-value" not in stream.getvalue()


def test_the_longest_secret_is_masked_first() -> None:
    """A secret that begins with another leaves no remainder."""
    stream = configured("abc", "abcdef", "")
    logs.get("a").info("x abcdef abc y")
    assert lines(stream)[0]["event"] == "x *** *** y"


def test_libraries_are_logged_from_warning_up() -> None:
    """Lines of stdlib loggers come out in the same shape, masked, from warning up; broken ones do no harm."""
    stream = configured(SECRET, level="debug")
    library = logging.getLogger("some.library")
    library.info("chatter")
    library.warning("depth %d with %s", 3, SECRET)
    library.warning("%d", "broken")
    first, second = lines(stream)
    assert (first["event"], first["level"], first["logger"]) == ("depth 3 with ***", "warning", "some.library")
    assert second["event"] == "%d"


def test_exceptions_of_libraries_keep_their_traceback() -> None:
    """What a library logs with an exception has its traceback, masked."""
    stream = configured(SECRET)
    try:
        fail("local")
    except RuntimeError:
        logging.getLogger("some.library").exception("servicing failed")
    assert "ValueError: ***" in lines(stream)[0]["exception"]


def test_request_lines_of_the_http_client_never_appear() -> None:
    """The client logs each URL at INFO, and a URL may carry a credential: they are dropped even at level INFO."""
    stream = configured(level="debug")
    logging.getLogger().setLevel(logging.DEBUG)
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    with httpx.Client(transport=transport) as client:
        client.get("http://cms.example/?access_token=unknown-to-us")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_no_part_of_a_line_can_move_a_cursor(terminal: bool) -> None:  # noqa: FBT001  # parametrized
    """Field names, the logger's name, nested values and the event itself are escaped just as values are."""
    stream = Terminal() if terminal else io.StringIO()
    bad = "\x1b]0;\x07\x9b\u202e\n\r"
    logs.configure(stream, json=False, level="info", secrets=[])
    logs.get(f"name{bad}").info(f"event{bad}", **{f"fact{bad}": f"value{bad}", "nested": [{bad: bad}]})
    assert stream.getvalue().count("\n") == 1
    without_colours = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert without_colours.rstrip("\n").isprintable()
