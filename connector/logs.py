"""Log lines: JSON for machines, readable on a terminal, and never a secret in either."""

import json as json_format
import logging
import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from functools import partial
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger

MASK = "***"

# structlog keeps the keyword "logger" to itself where a logger is made.
_NAME = "logger_name"


def configure(stream: TextIO, *, json: bool | None, level: str, secrets: Iterable[str]) -> None:
    """Send every log line of this process to `stream`, from `level` (`debug`, `info`, `warning`, `error`) up.

    `json` None means JSON unless `stream` is a terminal. No value of `secrets` is ever written, URL-encoded or within
    an exception's text either. Lines of libraries come out from `warning` up. Calling it again replaces the former.
    """
    as_json = not stream.isatty() if json is None else json
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _name,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            partial(_redact, redaction(secrets)),
            structlog.processors.JSONRenderer() if as_json else _terminal_renderer(colors=stream.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    _route_libraries()


def get(name: str) -> FilteringBoundLogger:
    """Return the logger called `name`; it follows a later `configure` too."""
    logger: FilteringBoundLogger = structlog.get_logger(**{_NAME: name})
    return logger


def redaction(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that masks every one of `secrets` in a text, however each character of it is escaped."""
    # The longest first: one secret may begin with another.
    patterns = [_pattern(secret) for secret in sorted(set(secrets), key=len, reverse=True) if secret]
    if not patterns:
        return str
    return partial(re.compile("|".join(patterns)).sub, MASK)


class _Router(logging.Handler):
    """Hands the lines of libraries on to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  # a library's broken format string is no reason to fail
            message = str(record.msg)
        get(record.name).log(record.levelno, message, exc_info=record.exc_info)


def _route_libraries() -> None:
    logging.basicConfig(handlers=[_Router()], level=logging.WARNING, force=True)
    # Its INFO lines are request lines, and some request URLs carry a credential.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _name(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["logger"] = event.pop(_NAME, "")
    return event


def _redact(
    mask: Callable[[str], str], _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {key: _masked(mask, value) for key, value in event.items()}


def _masked(mask: Callable[[str], str], value: Any) -> Any:
    match value:
        case str():
            return mask(value)
        case bool() | int() | float() | None:
            # A number may be a secret as well.
            return value if mask(str(value)) == str(value) else MASK
        case Mapping():
            return {mask(str(key)): _masked(mask, item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(mask, item) for item in value]
    # Rendered here: a renderer that came to it later would write it unmasked.
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
