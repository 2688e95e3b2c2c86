"""Log lines: JSON for machines, readable on a terminal, and never a secret in either. Logging never raises."""

import json as json_format
import logging
import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from functools import partial
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger

from connector.logs.sink import Sink

MASK = "***"

# structlog reserves the keyword "logger" when a logger is made.
_NAME = "logger_name"


class Mask:
    """Masks secrets in a text, however their characters are escaped; it can learn more of them at any time."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: frozenset[str] = frozenset()
        self._masked: Callable[[str], str] = str
        self.learn(secrets)

    def __call__(self, text: str) -> str:
        """Return the text without any secret."""
        return self._masked(text)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these as well from now on; what was a secret stays one."""
        known = self._known | set(secrets)
        if known != self._known:
            self._known, self._masked = known, redaction(known)


def configure(stream: TextIO | None, *, json: bool | None, level: str, secrets: Iterable[str] | Mask) -> Sink:
    """Send every log line of this process to `stream`, from `level` (`debug`, `info`, `warning`, `error`) up.

    `json` None means JSON unless `stream` is a terminal. No value of `secrets` is ever written, not even URL-encoded or
    within an exception's text. Lines of libraries appear from `warning` up. A later call replaces an earlier one.
    Return where the lines go: it counts those that are lost.
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


def redaction(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that masks each of `secrets` in a text, however its characters are escaped."""
    # The longest first: one secret may begin with another.
    patterns = [_pattern(secret) for secret in sorted(set(secrets), key=len, reverse=True) if secret]
    if not patterns:
        return str
    return partial(re.compile("|".join(patterns)).sub, MASK)


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
            except Exception:  # noqa: BLE001  whatever a fact's own code does, the code that logs it must continue
                return sink.lose()

    return Unfailing


def _lost(count: int, *, as_json: bool) -> str:
    facts = {"event": "log lines were lost: they could not be written", "count": count, "level": "warning"}
    return json_format.dumps(facts) if as_json else f"[warning  ] {facts['event']} count={count}"


class _Router(logging.Handler):
    """Hands the lines of libraries on to structlog."""

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
    # Otherwise anything that anybody sends to the port would be an error line.
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
    return {key: _masked(mask, value) for key, value in event.items()}


def _masked(mask: Callable[[str], str], value: Any) -> Any:
    match value:
        case str():
            return mask(value)
        case bool() | int() | float() | None:
            # A number may be a secret too.
            return value if mask(str(value)) == str(value) else MASK
        case Mapping():
            return {mask(str(key)): _masked(mask, item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(mask, item) for item in value]
    # Rendered here: a later renderer would write it unmasked.
    return mask(str(value) if isinstance(value, BaseException) else repr(value))


def _pattern(secret: str) -> str:
    return "".join(map(_any_escape, secret))


def _any_escape(character: str) -> str:
    encoded = character.encode("utf-8", "surrogatepass")
    percent = "".join(f"%{byte:02x}" for byte in encoded)
    forms = {character, json_format.dumps(character)[1:-1], repr(character)[1:-1], repr(encoded)[2:-1]}
    if character == " ":
        forms.add("+")
    if character in "'\"\\/":
        forms.add(f"\\{character}")
    # The longest first, so that an escape is masked with its backslash.
    plain = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    return f"(?:(?i:{percent})|{plain})"


def _terminal_renderer(*, colors: bool) -> structlog.typing.Processor:
    # The plain traceback: the pretty one would print local variables.
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
