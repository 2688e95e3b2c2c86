"""Log lines: JSON for machines, readable on a terminal, and never a secret in either. Logging never raises."""

import json as json_format
import logging
from collections.abc import Callable, Iterable, MutableMapping
from functools import partial
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger

from connector.logs.mask import Mask, masked
from connector.logs.sink import Sink

# structlog reserves the keyword "logger" when a logger is made.
_NAME = "logger_name"


def configure(stream: TextIO | None, *, json: bool | None, level: str, secrets: Iterable[str] | Mask) -> Sink:
    """Send every log line of this process to `stream`, from `level` (`debug`, `info`, `warning`, `error`) up.

    `json` None means JSON unless `stream` is a terminal. No value of `secrets` is ever written, not even URL-encoded or
    within an exception's text. Libraries' lines appear from `warning` up. A later call replaces an earlier one.
    Return where the lines go, which counts those that are lost.
    """
    terminal = stream is not None and not stream.closed and stream.isatty()
    as_json = not terminal if json is None else json
    mask = secrets if isinstance(secrets, Mask) else Mask(secrets)
    sink = Sink(stream, partial(_lost, as_json=as_json))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _name,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            partial(_redact, mask),
            *([structlog.processors.JSONRenderer()] if as_json else [_escape, _terminal_renderer(colors=terminal)]),
        ],
        wrapper_class=_unfailing(structlog.make_filtering_bound_logger(level), sink),
        logger_factory=lambda *_: _Lines(sink),
        cache_logger_on_first_use=False,
    )
    _route_libraries()
    return sink


def get(name: str) -> FilteringBoundLogger:
    """Return the logger called `name`; later calls of `configure` apply to it too."""
    logger: FilteringBoundLogger = structlog.get_logger(**{_NAME: name})
    return logger


class _Lines:
    """What structlog passes its finished lines to."""

    def __init__(self, sink: Sink) -> None:
        self.msg = self.debug = self.info = self.warning = self.error = self.critical = sink.line


def _unfailing(made: type[FilteringBoundLogger], sink: Sink) -> type[FilteringBoundLogger]:
    """Return a logger class that counts a line it cannot make as lost: no log call raises."""

    class Unfailing(made):  # type: ignore[misc, valid-type]  # a class that structlog makes at run time
        def _proxy_to_logger(self, method_name: str, event: str | None = None, **facts: Any) -> Any:
            try:
                return super()._proxy_to_logger(method_name, event, **facts)
            except Exception:  # noqa: BLE001  whatever a value's own code does, the code that logs it must continue
                return sink.lose()

    return Unfailing


def _lost(count: int, *, as_json: bool) -> str:
    facts = {"event": "log lines were lost: they could not be written", "count": count, "level": "warning"}
    return json_format.dumps(facts) if as_json else f"[warning  ] {facts['event']} count={count}"


class _Router(logging.Handler):
    """Passes libraries' lines on to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  # a library's broken format string must not fail us
            message = str(record.msg)
        get(record.name).log(record.levelno, message, exc_info=record.exc_info)


def _route_libraries() -> None:
    logging.basicConfig(handlers=[_Router()], level=logging.WARNING, force=True)
    # Its INFO lines are request lines, and some request URLs carry a credential.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Otherwise whatever anybody sends to the port would become an error line.
    for name in ("waitress", "waitress.queue"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _name(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["logger"] = event.pop(_NAME, "")
    return event


def _escape(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape what could move a terminal's cursor or hide text; a traceback keeps its lines."""
    return {
        _printable(key): _printable(value, keep="\n\t" if key == "exception" else "") for key, value in event.items()
    }


def _printable(value: Any, keep: str = "") -> Any:
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode() for each in value
    )


def _redact(
    mask: Callable[[str], str], _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {key: masked(mask, value) for key, value in event.items()}


def _terminal_renderer(*, colors: bool) -> structlog.typing.Processor:
    # The plain traceback: the pretty one would print local variables.
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
